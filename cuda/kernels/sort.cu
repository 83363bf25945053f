// Sorting. Elements become unsigned keys of the same order (sort_keys.h, shared with the CPU), flipped for descending
// order; positions travel with the keys, packed into one word where keys have at most 32 bits.
//
// Rows of up to kBlockSort elements are read, sorted in shared memory and written by one block; short rows share a block.
// Longer ones are sorted by radix (radix.cuh). topk: blocks over spans of the rows keep the k best of theirs, in shared
// memory; those of all spans of a row are the next round's row, until it is one span. searchsorted: a thread for each
// value.
#include "kernels/sort.h"

#include "kernels/radix.cuh"
#include "kernels/sort_keys.h"

namespace pl::cuda {
namespace {

// -- elements -------------------------------------------------------------------------------------------------------

template <class T>
using key_of = typename keys<T>::type;

// What is sorted: E, from an element of T at a place of its row, and back.
template <class T, class E, bool kPlaced>
struct Element {
  static constexpr bool placed = kPlaced;
  static __device__ __forceinline__ E make(T x, int64_t place, bool flip) {
    key_of<T> key = keys<T>::of(x, kPlaced);
    if (flip) key = ~key;
    if constexpr (std::is_same_v<E, KeyPlace>)
      return {key, place};
    else if constexpr (kPlaced)
      return static_cast<E>(key) << 32 | static_cast<E>(place);
    else
      return key;
  }
  static __device__ __forceinline__ int64_t place(const E& e) {
    if constexpr (std::is_same_v<E, KeyPlace>)
      return e.place;
    else
      return static_cast<int64_t>(e & 0xffffffffu);
  }
  static __device__ __forceinline__ T value(E e, bool flip) { return keys<T>::value(flip ? ~e : e); }
  // The bits of E that the key has.
  static constexpr int low = kPlaced && !std::is_same_v<E, KeyPlace> ? 32 : 0,
                       high = low + 8 * static_cast<int>(sizeof(T));
};

template <class El, class E>
__device__ __forceinline__ void put(const SortArgs& a, int64_t at, const E& e) {
  if constexpr (El::placed)
    a.indices[at] = El::place(e);
  else {
    using T = decltype(El::value(e, false));
    static_cast<T*>(a.values)[at] = El::value(e, a.descending);
  }
}

// f(T{}) for the type of the elements; booleans are bytes.
template <class F>
void with_element(DType dtype, const F& f) {
  switch (dtype) {
    case DType::boolean:
    case DType::uint8: return f(uint8_t{});
    case DType::int32: return f(int32_t{});
    case DType::int64: return f(int64_t{});
    case DType::float32: return f(float{});
    case DType::float64: return f(double{});
  }
}
// f(T{}, Element, E{})
template <class F>
void with_places(const SortArgs& a, const F& f) {
  with_element(a.dtype, [&](auto x) {
    using T = decltype(x);
    if constexpr (sizeof(key_of<T>) == 4)
      if (a.n <= int64_t{UINT32_MAX}) return f(x, Element<T, uint64_t, true>{}, uint64_t{});
    f(x, Element<T, KeyPlace, true>{}, KeyPlace{});
  });
}
template <class F>
void with_sorted(const SortArgs& a, const F& f) {
  if (a.indices) return with_places(a, f);
  with_element(a.dtype, [&](auto x) {
    using T = decltype(x);
    f(x, Element<T, key_of<T>, false>{}, key_of<T>{});
  });
}

// -- sort -----------------------------------------------------------------------------------------------------------

constexpr int kShared = 1024;  // elements of short rows that share a block

template <class T, class El, class E>
__global__ void __launch_bounds__(kThreads) sort_short(SortArgs a, int size, int group) {
  E* const e = &smem<E>();  // as many as the launch says
  const T* const x = static_cast<const T*>(a.x);
  const int n = static_cast<int>(a.n);
  for (int64_t row = int64_t{blockIdx.x} * group; row < a.rows; row += int64_t{gridDim.x} * group) {
    for (int i = threadIdx.x; i < size * group; i += kThreads) {
      const int r = i / size, k = i - r * size;
      if (k < n && row + r < a.rows)
        e[i] = El::make(x[(row + r) * n + k], k, a.descending);
      else
        set_last(e[i]);
    }
    __syncthreads();
    sort_block(e, size * group, size);
    for (int i = threadIdx.x; i < n * group; i += kThreads) {
      const int r = i / n, k = i - r * n;
      if (row + r < a.rows) put<El>(a, (row + r) * n + k, e[r * size + k]);
    }
    __syncthreads();
  }
}

template <class T, class El, class E>
__global__ void __launch_bounds__(kThreads) make_elements(SortArgs a, E* to) {
  const T* const x = static_cast<const T*>(a.x);
  for (int64_t i = first(); i < a.rows * a.n; i += stride()) to[i] = El::make(x[i], i % a.n, a.descending);
}
template <class El, class E>
__global__ void __launch_bounds__(kThreads) put_elements(SortArgs a, const E* from) {
  for (int64_t i = first(); i < a.rows * a.n; i += stride()) put<El>(a, i, from[i]);
}

void sort_forward(Stream stream, const SortArgs& a) {
  if (a.rows <= 0 || a.n <= 0) return;
  with_sorted(a, [&](auto x, auto element, auto zero) {
    using T = decltype(x);
    using El = decltype(element);
    using E = decltype(zero);
    if (a.n <= kBlockSort) {
      const int size = power_of_two(a.n), group = size < kShared ? kShared / size : 1;
      return start(stream, sort_short<T, El, E>, blocks_for((a.rows + group - 1) / group, 1), kThreads,
                   sizeof(E) * static_cast<size_t>(size * group), a, size, group);
    }
    const int64_t all = a.rows * a.n;
    E* const from = static_cast<E*>(a.work);
    int64_t* const counts = reinterpret_cast<int64_t*>(from + (2 * all + 1) / 2 * 2);
    start(stream, make_elements<T, El, E>, blocks_for(all), kThreads, 0, a, from);
    const E* const sorted = sort_elements(stream, from, from + all, a.rows, a.n, El::low, El::high, counts);
    start(stream, put_elements<El, E>, blocks_for(all), kThreads, 0, a, sorted);
  });
}
int64_t sort_workspace(const SortArgs& a) {
  if (a.n <= kBlockSort || a.rows <= 0) return 0;
  int64_t bytes = 0;
  with_sorted(a, [&](auto, auto, auto zero) {
    bytes =
        (2 * a.rows * a.n + 2) * static_cast<int64_t>(sizeof(zero)) + radix_counts(a.rows, a.n) * int64_t{8};
  });
  return bytes;
}

// -- topk -----------------------------------------------------------------------------------------------------------

constexpr int64_t kMostBest = 64;  // the op sorts for larger k

// The k first of each span of a row, in order: of `from`'s elements, or of x where that is null. Into `to`, or, of the
// last round, their places into the result. A span has `span` elements, n of them are in a row.
struct TopkArgs {
  SortArgs a;
  int64_t n, span, spans;
};

template <class T, class El, class E>
__global__ void __launch_bounds__(kThreads) best_of_spans(TopkArgs t, const E* from, E* to, int size) {
  E* const e = &smem<E>();  // as many as the launch says
  const SortArgs& a = t.a;
  const T* const x = static_cast<const T*>(a.x);
  const int k = static_cast<int>(a.k);
  for (int64_t at = blockIdx.x; at < a.rows * t.spans; at += gridDim.x) {
    const int64_t row = at / t.spans, begin = at % t.spans * t.span;
    const int64_t end = begin + t.span < t.n ? begin + t.span : t.n;
    const auto get = [&](int64_t i) {
      return from ? from[row * t.n + i] : El::make(x[row * t.n + i], i, true);
    };
    int held = 0;
    for (int64_t next = begin; next < end;) {
      const int64_t left = end - next;
      const int room = size - held, here = static_cast<int>(left < room ? left : room);
      bool better = held < k;
      E worst;
      set_last(worst);
      if (held == k) worst = e[k - 1];
      for (int i = held + threadIdx.x; i < size; i += kThreads) {
        set_last(e[i]);
        if (i - held < here) e[i] = get(next + i - held);
        better = better || below(e[i], worst);
      }
      next += here;
      if (__syncthreads_count(better) == 0) continue;
      sort_block(e, size, size);
      held = held + here < k ? held + here : k;
    }
    for (int i = threadIdx.x; i < k; i += kThreads) {
      if (to)
        to[at * k + i] = e[i];
      else
        a.indices[row * k + i] = El::place(e[i]);
    }
    __syncthreads();
  }
}

template <class T, class El, class E>
void topk_typed(Stream stream, const SortArgs& a) {
  constexpr int64_t kRoom =
      static_cast<int64_t>(kScratch / 2 / sizeof(E));  // elements of a round in scratch memory
  E* to = static_cast<E*>(scratch(stream));
  E* other = to + kRoom;
  const E* from = nullptr;
  for (int64_t n = a.n;;) {
    TopkArgs t{a, n, kBlockSort, (n + kBlockSort - 1) / kBlockSort};
    while (t.spans > 1 && a.rows * t.spans * a.k > kRoom) {  // longer spans leave fewer
      t.span *= 2;
      t.spans = (n + t.span - 1) / t.span;
    }
    const int size = power_of_two(n < kBlockSort ? n : kBlockSort);
    start(stream, best_of_spans<T, El, E>, blocks_for(a.rows * t.spans, 1), kThreads,
          sizeof(E) * static_cast<size_t>(size), t, from, t.spans > 1 ? to : nullptr, size);
    if (t.spans == 1) return;
    n = t.spans * a.k;
    from = to;
    to = other;
    other = const_cast<E*>(from);
  }
}

void topk(Stream stream, const SortArgs& a) {
  if (a.rows <= 0 || a.k <= 0) return;
  static_assert(kMostBest < kBlockSort);
  with_places(a, [&](auto x, auto element, auto zero) {
    topk_typed<decltype(x), decltype(element), decltype(zero)>(stream, a);
  });
}

// -- searchsorted ---------------------------------------------------------------------------------------------------

template <class T>
__global__ void __launch_bounds__(kThreads) search_kernel(SearchArgs a) {
  const T *const sorted = static_cast<const T*>(a.sorted), *const values = static_cast<const T*>(a.values);
  for (int64_t i = first(); i < a.count; i += stride()) {
    const key_of<T> key = keys<T>::of(values[i], true);
    int64_t low = 0;
    for (int64_t left = a.n; left > 0;) {  // [low, low + left) is undecided
      const int64_t half = left / 2;
      const key_of<T> there = keys<T>::of(sorted[low + half], true);
      const bool above = there < key || (a.right && there == key);
      low = above ? low + half + 1 : low;
      left = above ? left - half - 1 : half;
    }
    a.y[i] = low;
  }
}
void searchsorted(Stream stream, const SearchArgs& a) {
  if (a.count <= 0) return;
  with_element(a.dtype, [&](auto x) {
    start(stream, search_kernel<decltype(x)>, blocks_for(a.count), kThreads, 0, a);
  });
}

}  // namespace

extern const SortKernels sort;
const SortKernels sort = {
    .sort = sort_forward,
    .sort_workspace = sort_workspace,
    .topk = topk,
    .searchsorted = searchsorted,
};

}  // namespace pl::cuda
