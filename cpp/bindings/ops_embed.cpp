// Rows by id.
#include "bindings/module.h"
#include "bindings/op.h"
#include "ops/embed.h"

namespace pl {

void bind_embed(py::module_& m) {
  def_op(m, "embedding", ops::embedding, {"ids", "table"},
         "Rows of a table (rows, D) by id: ids (...) give (..., D); IndexError when out of range.");
  def_op(m, "embedding_backward", ops::embedding_backward, {"dy", "ids", "num_embeddings"},
         "Gradient of embedding with respect to its table of num_embeddings rows.");
  def_op(
      m, "embedding_backward_sparse", ops::embedding_backward_sparse, {"dy", "ids"},
      "The rows of embedding_backward that have an id: (ids growing, then -1, to ids.size; their sums, then "
      "zeros).");
}

}  // namespace pl
