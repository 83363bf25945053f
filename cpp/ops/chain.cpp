#include "ops/chain.h"

#include <algorithm>

#include "core/parallel.h"
#include "ops/common.h"

namespace pl::ops {
namespace {

constexpr int64_t kBlock = 2048;   // elements: four scratch blocks of doubles are 64 KB of stack
constexpr int64_t kGrain = 16384;  // elements of a task
constexpr int kSlots = 4;

// Adds an operand with this stride; false when it is neither contiguous nor a single element.
bool add(Link& l, const void* p, int64_t stride, size_t size, bool written) {
  if (l.n > 1 && stride != 1 && (stride != 0 || written)) return false;
  const int32_t bytes = static_cast<int32_t>(size);
  l.operand[l.count++] = {static_cast<std::byte*>(const_cast<void*>(p)), l.n == 1 || stride == 1 ? bytes : 0,
                          bytes, written, -1};
  return true;
}

template <class Args>
bool one_axis(Link& l, const Args& a) {
  l.n = a.ndim ? a.shape[0] : 1;
  return a.ndim <= 1 && l.n > 0;
}
template <class Args>
int64_t only(const Args& a, const int64_t* stride) {
  return a.ndim ? stride[0] : 1;
}

bool describe(Link& l, const UnaryArgs& a) {
  l.kind = Link::Kind::unary;
  l.unary = a;
  return one_axis(l, a) && add(l, a.x, only(a, a.stride_x), itemsize(a.dtype), false) &&
         add(l, a.y, only(a, a.stride_y), is_test(a.op) ? 1 : itemsize(a.dtype), true);
}
bool describe(Link& l, const BinaryArgs& a) {
  l.kind = Link::Kind::binary;
  l.binary = a;
  return one_axis(l, a) && add(l, a.a, only(a, a.stride_a), itemsize(a.dtype), false) &&
         add(l, a.b, only(a, a.stride_b), itemsize(a.dtype), false) &&
         add(l, a.y, only(a, a.stride_y), is_test(a.op) ? 1 : itemsize(a.dtype), true);
}
bool describe(Link& l, const WhereArgs& a) {
  l.kind = Link::Kind::where;
  l.where = a;
  return one_axis(l, a) && add(l, a.c, only(a, a.stride_c), 1, false) &&
         add(l, a.a, only(a, a.stride_a), itemsize(a.dtype), false) &&
         add(l, a.b, only(a, a.stride_b), itemsize(a.dtype), false) &&
         add(l, a.y, only(a, a.stride_y), itemsize(a.dtype), true);
}
bool describe(Link& l, const CopyArgs& a) {
  l.kind = Link::Kind::copy;
  l.copy = a;
  return one_axis(l, a) && add(l, a.x, only(a, a.stride_x), itemsize(a.from), false) &&
         add(l, a.y, only(a, a.stride_y), itemsize(a.to), true);
}
bool describe(Link& l, const DropoutBackwardArgs& a) {
  l.kind = Link::Kind::dropout_backward;
  l.dropout_backward = a;
  l.n = a.n;
  return a.n > 0 && add(l, a.mask, 1, 1, false) && add(l, a.dy, 1, itemsize(a.dtype), false) &&
         add(l, a.dx, 1, itemsize(a.dtype), true);
}

template <class Args>
bool is_launch_of(const Plan& plan, const Launch& launch, void (*kernel)(Stream, const Args&), Link& l) {
  if (launch.kernel != reinterpret_cast<KernelFn>(kernel)) return false;
  l.kernel = launch.kernel;
  l.count = 0;
  Args args;
  std::memcpy(&args, plan.arguments.data() + launch.args, sizeof(args));
  return describe(l, args);
}

bool overlap(const Operand& a, const Operand& b, int64_t n) {
  const auto bytes = [n](const Operand& o) { return o.step ? n * o.step : o.size; };
  return a.p < b.p + bytes(b) && b.p < a.p + bytes(a);
}
bool same_elements(const Operand& a, const Operand& b) { return a.p == b.p && a.step == b.step && a.step; }

// The link's arguments for n elements from `begin` on, then the call.
struct Place {
  const Link& l;
  int64_t begin;
  std::byte* scratch;

  template <class P>
  void point(P*& p, int k) const {
    const Operand& o = l.operand[k];
    p = reinterpret_cast<P*>(o.slot >= 0 ? scratch + o.slot * kBlock * 8 : o.p + begin * o.step);
  }
};

template <class Args, class Setup>
void call(const Link& l, Args args, int64_t n, Setup setup) {
  args.ndim = 1;
  args.shape[0] = n;
  setup(args);
  reinterpret_cast<void (*)(Stream, const Args&)>(l.kernel)(Stream{}, args);
}

void run_link(const Link& l, int64_t begin, int64_t n, std::byte* scratch) {
  const Place at{l, begin, scratch};
  const auto stride = [&](int k) { return int64_t{l.operand[k].step ? 1 : 0}; };
  switch (l.kind) {
    case Link::Kind::unary:
      return call(l, l.unary, n, [&](UnaryArgs& a) {
        at.point(a.x, 0), at.point(a.y, 1);
        a.stride_x[0] = stride(0), a.stride_y[0] = 1;
      });
    case Link::Kind::binary:
      return call(l, l.binary, n, [&](BinaryArgs& a) {
        at.point(a.a, 0), at.point(a.b, 1), at.point(a.y, 2);
        a.stride_a[0] = stride(0), a.stride_b[0] = stride(1), a.stride_y[0] = 1;
      });
    case Link::Kind::where:
      return call(l, l.where, n, [&](WhereArgs& a) {
        at.point(a.c, 0), at.point(a.a, 1), at.point(a.b, 2), at.point(a.y, 3);
        a.stride_c[0] = stride(0), a.stride_a[0] = stride(1), a.stride_b[0] = stride(2), a.stride_y[0] = 1;
      });
    case Link::Kind::copy:
      return call(l, l.copy, n, [&](CopyArgs& a) {
        at.point(a.x, 0), at.point(a.y, 1);
        a.stride_x[0] = stride(0), a.stride_y[0] = 1;
      });
    case Link::Kind::dropout_backward: {
      DropoutBackwardArgs a = l.dropout_backward;
      a.n = n;
      at.point(a.mask, 0), at.point(a.dy, 1), at.point(a.dx, 2);
      return reinterpret_cast<void (*)(Stream, const DropoutBackwardArgs&)>(l.kernel)(Stream{}, a);
    }
  }
}

}  // namespace

bool make_link(const Plan& plan, const Launch& launch, Link& link) {
  const KernelTable& k = kernels();
  return is_launch_of(plan, launch, k.elementwise.unary, link) ||
         is_launch_of(plan, launch, k.elementwise.binary, link) ||
         is_launch_of(plan, launch, k.elementwise.where, link) ||
         is_launch_of(plan, launch, k.elementwise.copy, link) ||
         is_launch_of(plan, launch, k.random.dropout_backward, link);
}

bool may_follow(std::span<const Link> links, const Link& next) {
  for (const Link& l : links) {
    if (l.n != next.n) return false;
    for (const Operand& a : std::span(l.operand, l.count))
      for (const Operand& b : std::span(next.operand, next.count))
        if ((a.written || b.written) && overlap(a, b, next.n) && !same_elements(a, b)) return false;
  }
  return links.size() < kMaxLinks;
}

bool keep_in_scratch(std::span<Link> links, const std::byte* p) {
  int8_t slot = 0;
  for (const Link& l : links)
    for (const Operand& o : std::span(l.operand, l.count)) slot = std::max<int8_t>(slot, o.slot + 1);
  if (slot == kSlots) return false;
  for (Link& l : links)
    for (Operand& o : std::span(l.operand, l.count))
      if (o.p == p) o.slot = slot;
  return true;
}

void run_chain(Stream, const ChainArgs& chain) {
  parallel_for(
      chain.n, kGrain,
      [&](int64_t begin, int64_t end) {
        alignas(64) std::byte scratch[kSlots * kBlock * 8];
        for (int64_t i = begin; i < end; i += kBlock)
          for (int k = 0; k < chain.count; ++k)
            run_link(chain.links[k], i, std::min(kBlock, end - i), scratch);
      },
      false);
}

}  // namespace pl::ops
