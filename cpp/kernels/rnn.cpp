// The pointwise part of an LSTM step; formulas in rnn.h. Parallel over the rows of the batch, vectors over
// the units; an element's loads come before its stores, so gates may be z itself, and the outputs the inputs
// of the same shape.
#include "kernels/rnn.h"

#include "core/parallel.h"
#include "kernels/math.h"
#include "kernels/vectors.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kChunk = 1 << 12;  // units a chunk, about 10 us

template <Activation A, class V>
PL_INLINE V activate(V x) {
  if constexpr (A == Activation::relu)
    return relu_(x);
  else if constexpr (A == Activation::sigmoid)
    return sigmoid_(x);
  else if constexpr (A == Activation::tanh)
    return tanh_(x);
  else
    return x;
}
// g times the slope, from the output y
template <Activation A, class V>
PL_INLINE V slope(V g, V y) {
  using T = lane_of<V>;
  if constexpr (A == Activation::relu)
    return select(y > 0, g, V{});
  else if constexpr (A == Activation::sigmoid)
    return g * y * (T(1) - y);
  else if constexpr (A == Activation::tanh)
    return g * (T(1) - y * y);
  else
    return g;
}

// step(row, unit, part) over the vectors of each row's units.
template <class T, class Step>
PL_INLINE void each_unit(int64_t batch, int64_t hidden, const Step& step) {
  if (hidden <= 0) return;
  const int64_t grain = hidden >= kChunk ? 1 : kChunk / hidden;
  parallel_for(batch, grain, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      each_vector<T>(0, hidden, [&](int64_t j, auto part) { step(b, j, part); });
  });
}

template <class T, Activation A>
void forward(const LstmCellArgs& a) {
  using V = vec<T>;
  const int64_t h = a.hidden;
  each_unit<T>(a.batch, h, [&](int64_t b, int64_t j, auto part) {
    const T* z = static_cast<const T*>(a.z) + b * 4 * h + j;
    T* gates = static_cast<T*>(a.gates) + b * 4 * h + j;
    const int64_t at = b * h + j;
    const V i = sigmoid_(part.get(z)), f = sigmoid_(part.get(z + h));
    const V g = activate<A>(part.get(z + 2 * h)), o = sigmoid_(part.get(z + 3 * h));
    const V c = fma_(f, part.get(static_cast<const T*>(a.c) + at), i * g);
    part.put(gates, i);
    part.put(gates + h, f);
    part.put(gates + 2 * h, g);
    part.put(gates + 3 * h, o);
    part.put(static_cast<T*>(a.c_out) + at, c);
    part.put(static_cast<T*>(a.h_out) + at, o * activate<A>(c));
  });
}

template <class T, Activation A>
void backward(const LstmCellBackwardArgs& a) {
  using V = vec<T>;
  const int64_t h = a.hidden;
  each_unit<T>(a.batch, h, [&](int64_t b, int64_t j, auto part) {
    const T* gates = static_cast<const T*>(a.gates) + b * 4 * h + j;
    T* dz = static_cast<T*>(a.dz) + b * 4 * h + j;
    const int64_t at = b * h + j;
    const V i = part.get(gates), f = part.get(gates + h), g = part.get(gates + 2 * h),
            o = part.get(gates + 3 * h);
    const V c = part.get(static_cast<const T*>(a.c) + at);
    const V y = activate<A>(part.get(static_cast<const T*>(a.c_out) + at));
    const V dh = a.dh_out ? part.get(static_cast<const T*>(a.dh_out) + at) : V{};
    const V dc_out = a.dc_out ? part.get(static_cast<const T*>(a.dc_out) + at) : V{};
    const V dc = dc_out + slope<A>(dh * o, y);
    part.put(dz, slope<Activation::sigmoid>(dc * g, i));
    part.put(dz + h, slope<Activation::sigmoid>(dc * c, f));
    part.put(dz + 2 * h, slope<A>(dc * i, g));
    part.put(dz + 3 * h, slope<Activation::sigmoid>(dh * y, o));
    part.put(static_cast<T*>(a.dc) + at, dc * f);
  });
}

template <class T>
void forward_typed(const LstmCellArgs& a) {
  switch (a.activation) {
    case Activation::none: return forward<T, Activation::none>(a);
    case Activation::relu: return forward<T, Activation::relu>(a);
    case Activation::sigmoid: return forward<T, Activation::sigmoid>(a);
    case Activation::tanh: return forward<T, Activation::tanh>(a);
  }
}
template <class T>
void backward_typed(const LstmCellBackwardArgs& a) {
  switch (a.activation) {
    case Activation::none: return backward<T, Activation::none>(a);
    case Activation::relu: return backward<T, Activation::relu>(a);
    case Activation::sigmoid: return backward<T, Activation::sigmoid>(a);
    case Activation::tanh: return backward<T, Activation::tanh>(a);
  }
}

void lstm_cell(Stream, const LstmCellArgs& a) {
  if (a.dtype == DType::float32) forward_typed<float>(a);
  if (a.dtype == DType::float64) forward_typed<double>(a);
}

void lstm_cell_backward(Stream, const LstmCellBackwardArgs& a) {
  if (a.dtype == DType::float32) backward_typed<float>(a);
  if (a.dtype == DType::float64) backward_typed<double>(a);
}

}  // namespace

extern const RnnKernels rnn;
const RnnKernels rnn = {
    .lstm_cell = lstm_cell,
    .lstm_cell_backward = lstm_cell_backward,
};

}  // namespace pl::PL_ISA
