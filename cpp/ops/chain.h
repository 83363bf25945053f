// Pointwise launches over the same elements, walked together: a block of the elements goes through all of them while
// it lies in the first-level cache, and what only passes from one to the next never goes to memory.
#pragma once
#include <cstddef>
#include <span>

#include "core/capture.h"
#include "kernels/elementwise.h"
#include "kernels/random.h"

namespace pl::ops {

inline constexpr int kMaxLinks = 8;
inline constexpr int kMaxOperands = 4;

// An array of a link: contiguous over the n elements, or one element for all of them (step 0).
struct Operand {
  std::byte* p;
  int32_t step;  // bytes from one element to the next
  int32_t size;  // of an element
  bool written;
  int8_t slot;  // the scratch block that stands for it, or -1
};

struct Link {
  enum class Kind : uint8_t { unary, binary, where, copy, dropout_backward } kind;
  int8_t count;  // of operands
  int64_t n;
  KernelFn kernel;
  Operand operand[kMaxOperands];
  union {
    UnaryArgs unary;
    BinaryArgs binary;
    WhereArgs where;
    CopyArgs copy;
    DropoutBackwardArgs dropout_backward;
  };
};

struct ChainArgs {
  int64_t n;
  int32_t count;
  Link links[kMaxLinks];
};

// Is the launch pointwise, over contiguous arrays and single elements? Then `link` is filled.
bool make_link(const Plan& plan, const Launch& launch, Link& link);
// May `next` follow the links in a chain: would walking them block by block read and write as one after the other does?
bool may_follow(std::span<const Link> links, const Link& next);
// Puts a scratch block in the place of the array at p, wherever the links name it; false when there is none left.
bool keep_in_scratch(std::span<Link> links, const std::byte* p);
void run_chain(Stream, const ChainArgs& chain);

}  // namespace pl::ops
