// What the decomposition ops share: checks, workspaces, vectors seen as matrices.
#pragma once
#include "ops/common.h"
#include "ops/decomp.h"

namespace pl::ops {

inline Shape stack_of(const Tensor& x) {  // the axes before the last two
  Shape s = x.shape();
  s.resize(x.ndim() - 2);
  return s;
}
inline Shape with_matrix(Shape s, int64_t rows, int64_t columns) {
  s.push_back(rows);
  s.push_back(columns);
  return s;
}
inline Shape with_vector(Shape s, int64_t n) {
  s.push_back(n);
  return s;
}

// The argument as float matrices.
inline Tensor matrices(const char* op, const char* argument, const Tensor& x) {
  if (x.ndim() < 2)
    raise<ValueError>("[", op, "] argument '", argument,
                      "' must be a matrix or a stack of them, not of shape ", x.shape());
  return as_float(x);
}
inline Tensor square_matrices(const char* op, const char* argument, const Tensor& x) {
  Tensor a = matrices(op, argument, x);
  if (a.shape(-1) != a.shape(-2))
    raise<ValueError>("[", op, "] argument '", argument, "' must be square in its last two axes, not ",
                      x.shape());
  return a;
}

// Launches with the workspace that the kernel asks for.
template <class Args>
void launch_with_work(const char* name, void (*kernel)(Stream, const Args&), int64_t (*bytes)(const Args&),
                      Args& args, double flops) {
  Tensor work = empty({workspace_bytes(name, bytes, args)}, DType::uint8);
  args.work = work.write();
  launch(name, kernel, args, 500 + 0.2 * flops);
}

// X of op(A) X = B for a B that may be one vector (then X is one too).
template <class Solve>
Tensor solve_columns(const char* op, const Tensor& a, const Tensor& b, const Solve& solve) {
  if (b.ndim() == 0) raise<ValueError>("[", op, "] argument 'b' has no dimensions");
  const bool vector = b.ndim() == 1;
  const int64_t rows = vector ? b.shape(0) : b.shape(-2);
  if (rows != a.shape(-2))
    raise<ValueError>("[", op, "] argument 'b' of shape ", b.shape(), " has ", rows, " rows, 'a' of shape ",
                      a.shape(), " has ", a.shape(-2));
  if (!vector) return solve(b);
  return squeeze(solve(expand_dims(b, 1)), Axes{-1});
}

}  // namespace pl::ops
