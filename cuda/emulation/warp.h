// Barriers and warp-wide functions. A lane that the mask names but that is not there gives 0xFF bytes, as does one that
// takes no part: reading it is undefined under CUDA.
#pragma once
#include <bit>
#include <concepts>
#include <cstring>

#include "machine.h"

inline void __syncthreads(emu::Where where = emu::Where::current()) { emu::block_barrier(0, 0, where); }

namespace emu {

template <class T>
T value_of(const Warp& w, unsigned lane) {
  T v;
  std::memcpy(&v, w.lanes[lane].value, sizeof v);
  return v;
}
template <class T>
void give(Warp& w, unsigned lane, T v) {
  std::memcpy(w.lanes[lane].result, &v, sizeof v);
}
// f(lane) for each.
template <class F>
void each(unsigned lanes, F&& f) {
  for (; lanes; lanes &= lanes - 1) f(static_cast<unsigned>(std::countr_zero(lanes)));
}
template <class T>
T taken(const void* result) {
  T v;
  std::memcpy(&v, result, sizeof v);
  return v;
}

template <class T>
T shuffle(unsigned mask, T v, unsigned source, Where where) {
  static_assert(sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8, "no shuffle of this size");
  constexpr Finish finish = [](Warp& w, unsigned lanes) {
    each(lanes, [&](unsigned l) {
      const unsigned from = w.lanes[l].source;
      if (lanes >> from & 1)
        give(w, l, value_of<T>(w, from));
      else
        std::memset(w.lanes[l].result, 0xFF, sizeof(T));
    });
  };
  return taken<T>(warp_call(mask, finish, &v, sizeof v, source, where));
}
inline unsigned lane() { return g.thread->index % 32; }
inline void check_width(int width) {
  if (width < 1 || width > 32 || (width & (width - 1)))
    die("the width of a shuffle is %d: a power of two up to 32", width);
}

// What every lane gets is one value made of all: f(warp, lanes).
template <class R, class T, class F>
R together(unsigned mask, T v, F, Where where) {
  constexpr Finish finish = [](Warp& w, unsigned lanes) {
    const R r = F{}(w, lanes);
    each(lanes, [&](unsigned l) { give(w, l, r); });
  };
  return taken<R>(warp_call(mask, finish, &v, sizeof v, 0, where));
}
template <class T, class F>
T reduce(unsigned mask, T v, F, Where where) {
  auto all = [](Warp& w, unsigned lanes) {
    const unsigned first = static_cast<unsigned>(std::countr_zero(lanes));
    T r = value_of<T>(w, first);
    each(lanes & (lanes - 1), [&](unsigned l) { r = F{}(r, value_of<T>(w, l)); });
    return r;
  };
  return together<T>(mask, v, all, where);
}
inline constexpr auto ballot = [](Warp& w, unsigned lanes) {
  unsigned r = 0;
  each(lanes, [&](unsigned l) { r |= unsigned{value_of<int>(w, l) != 0} << l; });
  return r;
};
struct Votes {
  unsigned yes, lanes;
};
inline constexpr auto votes = [](Warp& w, unsigned lanes) { return Votes{ballot(w, lanes), lanes}; };

}  // namespace emu

inline void __syncwarp(unsigned mask = ~0u, emu::Where where = emu::Where::current()) {
  emu::warp_call(mask, [](emu::Warp&, unsigned) {}, nullptr, 0, 0, where);
}

template <class T>
T __shfl_sync(unsigned mask, T v, int source, int width = 32, emu::Where where = emu::Where::current()) {
  emu::check_width(width);
  const unsigned w = static_cast<unsigned>(width), l = emu::lane();
  return emu::shuffle(mask, v, (l & ~(w - 1)) + (static_cast<unsigned>(source) & (w - 1)), where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32,
                 emu::Where where = emu::Where::current()) {
  emu::check_width(width);
  const unsigned l = emu::lane(), in_part = l & static_cast<unsigned>(width - 1);
  return emu::shuffle(mask, v, in_part >= delta ? l - delta : l, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32,
                   emu::Where where = emu::Where::current()) {
  emu::check_width(width);
  const unsigned l = emu::lane(), in_part = l & static_cast<unsigned>(width - 1);
  return emu::shuffle(mask, v, in_part + delta < static_cast<unsigned>(width) ? l + delta : l, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T v, int lanes, int width = 32, emu::Where where = emu::Where::current()) {
  emu::check_width(width);
  const unsigned w = static_cast<unsigned>(width), l = emu::lane(), from = l ^ static_cast<unsigned>(lanes);
  // A lane of a later part gives the caller's own value; one of an earlier part may be read.
  return emu::shuffle(mask, v, from < 32 && (from & ~(w - 1)) <= (l & ~(w - 1)) ? from : l, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, emu::Where where = emu::Where::current()) {
  return emu::together<unsigned>(mask, predicate, emu::ballot, where);
}
inline int __any_sync(unsigned mask, int predicate, emu::Where where = emu::Where::current()) {
  return emu::together<emu::Votes>(mask, predicate, emu::votes, where).yes != 0;
}
inline int __all_sync(unsigned mask, int predicate, emu::Where where = emu::Where::current()) {
  const auto v = emu::together<emu::Votes>(mask, predicate, emu::votes, where);
  return v.yes == v.lanes;
}
// Any set of lanes that holds the caller is right, so this is the one that fewest kernels are made for.
inline unsigned __activemask() { return 1u << emu::lane(); }

template <class T>
unsigned __match_any_sync(unsigned mask, T v, emu::Where where = emu::Where::current()) {
  constexpr emu::Finish finish = [](emu::Warp& w, unsigned lanes) {
    emu::each(lanes, [&](unsigned l) {
      unsigned r = 0;
      emu::each(lanes, [&](unsigned k) {
        r |= unsigned{!std::memcmp(w.lanes[k].value, w.lanes[l].value, sizeof(T))} << k;
      });
      emu::give(w, l, r);
    });
  };
  return emu::taken<unsigned>(emu::warp_call(mask, finish, &v, sizeof v, 0, where));
}
template <class T>
unsigned __match_all_sync(unsigned mask, T v, int* predicate, emu::Where where = emu::Where::current()) {
  auto all = [](emu::Warp& w, unsigned lanes) {
    const auto* first = w.lanes[std::countr_zero(lanes)].value;
    bool equal = true;
    emu::each(lanes, [&](unsigned l) { equal &= !std::memcmp(w.lanes[l].value, first, sizeof(T)); });
    return equal ? lanes : 0u;
  };
  const unsigned r = emu::together<unsigned>(mask, v, all, where);
  *predicate = r != 0;
  return r;
}

template <class T>
  requires std::same_as<T, int> || std::same_as<T, unsigned>
T __reduce_add_sync(unsigned mask, T v, emu::Where where = emu::Where::current()) {
  auto add = [](T a, T b) { return static_cast<T>(static_cast<unsigned>(a) + static_cast<unsigned>(b)); };
  return emu::reduce(mask, v, add, where);
}
template <class T>
  requires std::same_as<T, int> || std::same_as<T, unsigned>
T __reduce_min_sync(unsigned mask, T v, emu::Where where = emu::Where::current()) {
  return emu::reduce(mask, v, [](T a, T b) { return b < a ? b : a; }, where);
}
template <class T>
  requires std::same_as<T, int> || std::same_as<T, unsigned>
T __reduce_max_sync(unsigned mask, T v, emu::Where where = emu::Where::current()) {
  return emu::reduce(mask, v, [](T a, T b) { return a < b ? b : a; }, where);
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned v, emu::Where where = emu::Where::current()) {
  return emu::reduce(mask, v, [](unsigned a, unsigned b) { return a & b; }, where);
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned v, emu::Where where = emu::Where::current()) {
  return emu::reduce(mask, v, [](unsigned a, unsigned b) { return a | b; }, where);
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned v, emu::Where where = emu::Where::current()) {
  return emu::reduce(mask, v, [](unsigned a, unsigned b) { return a ^ b; }, where);
}

namespace emu {
// Every thread of the block gives a number; all get the sum.
inline unsigned block_sum(unsigned v, Where where) {
  struct Sum : Unit {
    unsigned totals[2] = {0, 0};
    std::vector<unsigned char> turn;
  };
  Sum& s = unit<Sum>();
  s.turn.resize(g.block->threads.size());
  unsigned char& turn = s.turn[g.thread->index];
  s.totals[turn] += v;
  block_barrier(0, 0, where);
  const unsigned total = s.totals[turn];
  block_barrier(0, 0, where);
  s.totals[turn] = 0;
  turn ^= 1;
  return total;
}
}  // namespace emu
inline int __syncthreads_count(int predicate, emu::Where where = emu::Where::current()) {
  return static_cast<int>(emu::block_sum(predicate != 0, where));
}
inline int __syncthreads_or(int predicate, emu::Where where = emu::Where::current()) {
  return __syncthreads_count(predicate, where) != 0;
}
inline int __syncthreads_and(int predicate, emu::Where where = emu::Where::current()) {
  return __syncthreads_count(predicate, where) == static_cast<int>(emu::g.block->threads.size());
}
