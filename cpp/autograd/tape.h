// The tape: reverse-mode differentiation over the nodes that ops record (core/record.h).
#pragma once
#include <vector>

#include "core/record.h"

namespace pl {

// Gradients are recorded inside; scopes nest, for higher orders.
void enter_grad();
void exit_grad();
bool set_no_grad(bool on);  // of this thread; returns the state before

// A handle on the same elements that gradients can be taken with respect to. Inside an outer scope it stays connected
// to what t was computed from.
Tensor watch(const Tensor& t);
// The same for a parameter: t itself becomes a leaf, for good.
void watch_parameter(const Tensor& t);

// d(sum of seed * y) / dx for each x; seed is 1 when undefined, and y then has one element. Zeros where y does not
// depend on x. With `out`, gradient i is written into out[i] (which may be undefined) and that tensor is returned.
// The backward pass is itself recorded when the caller is inside a scope.
std::vector<Tensor> gradients(const Tensor& y, const std::vector<Tensor>& xs, const Tensor& seed,
                              const std::vector<Tensor>& out);

}  // namespace pl
