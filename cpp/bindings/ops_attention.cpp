// Attention.
#include "bindings/generator.h"
#include "bindings/module.h"
#include "bindings/op.h"
#include "ops/attention.h"

namespace pl {
namespace {

// None, or a number
struct Scale {
  std::optional<double> value;
};

}  // namespace
template <>
struct From<Scale> {
  static Scale get(Call& c, const char* what, py::handle h) {
    if (h.is_none()) return {};
    return {c.real(what, h)};
  }
};
namespace {

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const ops::OptTensor& mask,
                 bool is_causal, double dropout, const Scale& scale, const GeneratorState& g) {
  return ops::scaled_dot_product_attention(q, k, v, {mask, is_causal, dropout, scale.value, g.state});
}
std::tuple<Tensor, Tensor, Tensor> attention_backward(const Tensor& dy, const Tensor& q, const Tensor& k,
                                                      const Tensor& v, const ops::OptTensor& mask,
                                                      bool is_causal, double dropout, const Scale& scale,
                                                      const GeneratorState& g) {
  return ops::scaled_dot_product_attention_backward(dy, q, k, v,
                                                    {mask, is_causal, dropout, scale.value, g.state});
}

}  // namespace

void bind_attention(py::module_& m) {
  def_op(m, "scaled_dot_product_attention", attention,
         {"q",
          "k",
          "v",
          {"mask", None},
          {"is_causal", false},
          {"dropout", 0.0},
          {"scale", None},
          {"generator", None}},
         "softmax(scale q k' + mask) v for q (B, T, H, D), k (B, S, G, D), v (B, S, G, E), G dividing H.");
  def_op(m, "scaled_dot_product_attention_backward", attention_backward,
         {"dy",
          "q",
          "k",
          "v",
          {"mask", None},
          {"is_causal", false},
          {"dropout", 0.0},
          {"scale", None},
          {"generator", None}},
         "Gradients (dq, dk, dv) of scaled_dot_product_attention.");
}

}  // namespace pl
