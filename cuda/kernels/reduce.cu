// Reductions along an axis, by reduce_team.cuh's kernel, and running sums along it, by cumsum.cuh's.
#include "kernels/reduce.h"

#include "cumsum.cuh"
#include "reduce_team.cuh"

namespace pl::cuda {
namespace {

using Reduction = void (*)(Stream, const ReduceArgs&);

// The reduction `op` of elements T, null where it has no meaning. Booleans are reduced as the bytes they are.
template <ReduceOp op, class T_>
struct Maker {
  static constexpr Reduction entry() {
    using O = ReduceOp;
    using T = std::conditional_t<is_boolean<T_>, uint8_t, T_>;
    if constexpr (op == O::max)
      return reduce_with<ExtremumOf<T, true>, T>;
    else if constexpr (op == O::min)
      return reduce_with<ExtremumOf<T, false>, T>;
    else if constexpr (op == O::argmax)
      return reduce_with<ArgExtremumOf<T, true>, T>;
    else if constexpr (op == O::argmin)
      return reduce_with<ArgExtremumOf<T, false>, T>;
    else if constexpr (op == O::any)
      return reduce_with<TruthOf<T, false>, T>;
    else if constexpr (op == O::all)
      return reduce_with<TruthOf<T, true>, T>;
    else if constexpr (!is_real<T>) {
      if constexpr (op == O::sum)
        return reduce_with<IntegerSumOf<T>, T>;
      else if constexpr (op == O::prod)
        return reduce_with<IntegerProductOf<T>, T>;
      else
        return nullptr;
    } else if constexpr (op == O::sum)
      return reduce_with<SumOf<T, SumKind::sum>, T>;
    else if constexpr (op == O::mean)
      return reduce_with<SumOf<T, SumKind::mean>, T>;
    else if constexpr (op == O::sum_squares)
      return reduce_with<SumOf<T, SumKind::squares>, T>;
    else if constexpr (op == O::prod)
      return reduce_with<RealProductOf<T>, T>;
    else if constexpr (op == O::logsumexp)
      return reduce_with<LogSumExpOf<T>, T>;
    else
      return nullptr;
  }
};
constexpr OpTable<Reduction, ReduceOp, Maker> kReductions;

void reduce_axis(Stream stream, const ReduceArgs& a) {
  if (const Reduction f = kReductions.at(a.dtype, a.op)) f(stream, a);
}

void cumulate(Stream stream, const CumsumArgs& a) {
  switch (a.dtype) {
    case DType::boolean:
    case DType::uint8: return running_sum<IntegerSumOf<uint8_t>, uint8_t>(stream, a);
    case DType::int32: return running_sum<IntegerSumOf<int32_t>, int32_t>(stream, a);
    case DType::int64: return running_sum<IntegerSumOf<int64_t>, int64_t>(stream, a);
    case DType::float32: return running_sum<SumOf<float, SumKind::sum>, float>(stream, a);
    case DType::float64: return running_sum<SumOf<double, SumKind::sum>, double>(stream, a);
  }
}

}  // namespace

extern const ReduceKernels reduce;
const ReduceKernels reduce = {
    .reduce = reduce_axis,
    .cumsum = cumulate,
};

}  // namespace pl::cuda
