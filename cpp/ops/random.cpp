// Random numbers and dropout. A generator is an int64 tensor of two words: the seed and the number of draws so far.
#include "ops/random.h"

#include <mutex>

#include "ops/common.h"

namespace pl::ops {

static_assert(sizeof(RngState) == 16);

Tensor make_generator(int64_t seed) {
  Tensor state = empty_shared({2}, DType::int64);
  auto* words = static_cast<int64_t*>(state.write());
  words[0] = seed;
  words[1] = 0;
  return state;
}

Tensor default_generator() {
  static const Tensor* state = new Tensor(make_generator(0));
  return *state;
}

RngState* generator_state(const char* op, const Tensor& generator) {
  if (generator.dtype() != DType::int64 || !(generator.shape() == Shape{2}) || !generator.is_contiguous())
    raise<ValueError>("[", op, "] argument 'generator' must be a Generator's state");
  return static_cast<RngState*>(generator.write());
}

Tensor dropout(const Tensor& x0, double rate, const Tensor& generator) {
  if (!(rate >= 0 && rate < 1)) raise<ValueError>("[dropout] argument 'rate' must be in [0, 1), not ", rate);
  Tensor x = contiguous(as_float(x0));
  if (rate == 0) return x;
  Tensor y = result(x.shape(), x.dtype()), mask = empty(x.shape(), DType::boolean);
  DropoutArgs args{.dtype = x.dtype(),
                   .rate = rate,
                   .n = x.size(),
                   .state = generator_state("dropout", generator),
                   .x = x.read(),
                   .mask = static_cast<bool*>(mask.write()),
                   .y = y.write()};
  launch("dropout", kernels().random.dropout, args, static_cast<double>(x.size()));
  record("dropout", {x}, {y}, [mask, scale = 1 / (1 - rate)](Backward& b) {
    if (grad_enabled()) return b.set(0, b.grad() * cast(mask, b.grad().dtype()) * scale);
    Tensor g = contiguous(b.grad());
    Tensor dx = empty(g.shape(), g.dtype());
    DropoutBackwardArgs back{.dtype = g.dtype(),
                             .scale = scale,
                             .n = g.size(),
                             .mask = mask.read<bool>(),
                             .dy = g.read(),
                             .dx = dx.write()};
    launch("dropout_backward", kernels().random.dropout_backward, back, 0.3 * static_cast<double>(g.size()));
    b.set(0, dx);
  });
  return y;
}

Tensor random_fill(const Shape& shape, Distribution distribution, double low, double high, int64_t ilow,
                   int64_t ihigh, DType dtype, const Tensor& generator) {
  if (distribution == Distribution::bits) {
    if (ihigh <= ilow)
      raise<ValueError>("[integers] argument 'high' (", ihigh, ") must exceed 'low' (", ilow, ")");
  } else if (!is_float(dtype)) {
    raise<TypeError>("[random] argument 'dtype' must be float32 or float64, not ", dtype_name(dtype));
  }
  Tensor y = result(shape, dtype);
  RandomArgs args{.dtype = dtype,
                  .distribution = distribution,
                  .n = y.size(),
                  .low = low,
                  .high = high,
                  .ilow = ilow,
                  .ihigh = ihigh,
                  .state = generator_state("random", generator),
                  .y = y.write()};
  launch("random", kernels().random.fill, args, 2.0 * static_cast<double>(y.size()));
  return y;
}

}  // namespace pl::ops
