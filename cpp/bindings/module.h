// The parts of pylearn._core, each in the file of its name.
#pragma once
#include <pybind11/pybind11.h>

namespace pl {

void bind_tensor(pybind11::module_& m);       // tensor.cpp, and indexing.cpp
void bind_dlpack(pybind11::module_& m);       // dlpack.cpp
void bind_elementwise(pybind11::module_& m);  // ops_elementwise.cpp
void bind_ops(pybind11::module_& m);          // ops.cpp: reductions, products, layout, indexing
void bind_loss(pybind11::module_& m);         // ops_loss.cpp
void bind_norm(pybind11::module_& m);         // ops_norm.cpp
void bind_attention(pybind11::module_& m);    // ops_attention.cpp
void bind_random(pybind11::module_& m);       // ops_random.cpp
void bind_decomp(pybind11::module_& m);       // ops_decomp.cpp
void bind_conv(pybind11::module_& m);         // ops_conv.cpp
void bind_embed(pybind11::module_& m);        // ops_embed.cpp
void bind_sort(pybind11::module_& m);         // ops_sort.cpp
void bind_pool(pybind11::module_& m);         // ops_pool.cpp
void bind_resize(pybind11::module_& m);       // ops_resize.cpp
void bind_rnn(pybind11::module_& m);          // ops_rnn.cpp
void bind_optim(pybind11::module_& m);        // ops_optim.cpp
void bind_autograd(pybind11::module_& m);     // autograd.cpp
void bind_capture(pybind11::module_& m);      // capture.cpp
void bind_update(pybind11::module_& m);       // update.cpp
void bind_text(pybind11::module_& m);         // text.cpp
void bind_ceiling(pybind11::module_& m);      // ceiling.cpp

}  // namespace pl
