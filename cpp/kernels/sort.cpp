// Sorting. Elements become unsigned keys of the same order (floats by their bits, NaN last), flipped for descending
// order; positions travel with the keys, packed into one word where keys have at most 32 bits.
//
// Rows shorter than kShort are sorted by merging, since a radix pass has its counters to clear; longer ones by
// radix.h. Tasks are groups of rows, each with a workspace of its own; a row of kLong or more is a job for all
// threads, and rows are taken one after the other.
//
// topk keeps the k largest met so far in order; whole vectors that hold nothing larger than the last of them are
// passed over.
#include "kernels/sort.h"

#include "kernels/radix.h"
#include "kernels/sort_keys.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kShort = 320;
constexpr int64_t kLong = 1 << 16;
constexpr int64_t kRun = 12;  // elements sorted by insertion
constexpr int64_t kGroups = 32;
constexpr int64_t kGroupElements = 1 << 12;

// -- sort --------------------------------------------------------------------------------------------------------

PL_INLINE bool below(const PackedKey& a, const PackedKey& b) { return a.bits < b.bits; }
template <class E>
PL_INLINE bool below(const E& a, const E& b) {
  return a.key < b.key;
}

// Merge sort from runs sorted by insertion; stable. Returns where the result is.
template <class E>
E* merge_sort(E* from, E* to, int64_t n) {
  for (int64_t begin = 0; begin < n; begin += kRun) {
    const int64_t end = begin + kRun < n ? begin + kRun : n;
    for (int64_t i = begin + 1; i < end; ++i) {
      const E e = from[i];
      int64_t j = i;
      for (; j > begin && below(e, from[j - 1]); --j) from[j] = from[j - 1];
      from[j] = e;
    }
  }
  for (int64_t width = kRun; width < n; width *= 2) {
    for (int64_t begin = 0; begin < n; begin += 2 * width) {
      const int64_t middle = begin + width < n ? begin + width : n;
      const int64_t end = begin + 2 * width < n ? begin + 2 * width : n;
      int64_t i = begin, j = middle, k = begin;
      while (i < middle && j < end) {  // no branch on the data
        const bool second = below(from[j], from[i]);
        to[k++] = second ? from[j] : from[i];
        j += second;
        i += !second;
      }
      while (i < middle) to[k++] = from[i++];
      while (j < end) to[k++] = from[j++];
    }
    E* swap = from;
    from = to;
    to = swap;
  }
  return from;
}

// Whether the workspace's elements carry a place, and which.
bool packs(const SortArgs& a) {
  return a.dtype != DType::int64 && a.dtype != DType::float64 && a.n <= UINT32_MAX;
}
int64_t element_bytes(const SortArgs& a) {
  const bool wide = a.dtype == DType::int64 || a.dtype == DType::float64;
  if (!a.indices) return wide ? 8 : 4;
  return packs(a) ? 8 : 16;
}
int64_t group_count(const SortArgs& a) {
  if (a.n >= kLong) return 1;
  const int64_t most = a.rows * a.n / kGroupElements, fit = a.rows < kGroups ? a.rows : kGroups;
  return most < 1 ? 1 : most < fit ? most : fit;
}
int64_t group_bytes(const SortArgs& a) {  // elements twice, counters; whole words
  return (2 * a.n * element_bytes(a) + 63) / 64 * 64 +
         radix_counts(a.n) * static_cast<int64_t>(sizeof(int64_t));
}

template <class T, class E>
void sort_row(const SortArgs& a, int64_t row, char* work) {
  using K = keys<T>;
  E* from = reinterpret_cast<E*>(work);
  E* to = from + a.n;
  int64_t* counts = reinterpret_cast<int64_t*>(work + group_bytes(a)) - radix_counts(a.n);
  const T* x = static_cast<const T*>(a.x) + row * a.n;
  const bool placed = a.indices != nullptr;
  const typename E::type flip = a.descending ? static_cast<typename E::type>(~typename E::type(0)) : 0;
  parallel_for(a.n, kChunkElements, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      from[i] = E::make(static_cast<typename E::type>(K::of(x[i], placed)) ^ flip, i);
  });
  const E* sorted = a.n < kShort ? merge_sort(from, to, a.n) : radix_sort(from, to, a.n, counts);
  parallel_for(a.n, kChunkElements, [&](int64_t begin, int64_t end) {
    if constexpr (sizeof(E) == sizeof(typename E::type)) {
      T* y = static_cast<T*>(a.values) + row * a.n;
      for (int64_t i = begin; i < end; ++i)
        y[i] = K::value(static_cast<typename K::type>(key_of(sorted[i]) ^ flip));
    } else {
      int64_t* y = a.indices + row * a.n;
      for (int64_t i = begin; i < end; ++i) y[i] = place_of(sorted[i]);
    }
  });
}

template <class T, class E>
void sort_rows(const SortArgs& a) {
  char* work = static_cast<char*>(a.work);
  const int64_t groups = group_count(a);
  if (groups == 1) {
    for (int64_t row = 0; row < a.rows; ++row) sort_row<T, E>(a, row, work);
    return;
  }
  parallel_for(groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g)
      for (int64_t row = g * a.rows / groups; row < (g + 1) * a.rows / groups; ++row)
        sort_row<T, E>(a, row, work + g * group_bytes(a));
  });
}

template <class T>
void sort_dtype(const SortArgs& a) {
  if (!a.indices) return sort_rows<T, Key<typename keys<T>::type>>(a);
  if constexpr (sizeof(typename keys<T>::type) == 4) {
    if (packs(a)) return sort_rows<T, PackedKey>(a);
  }
  return sort_rows<T, KeyPlace>(a);
}

void sort_forward(Stream, const SortArgs& a) {
  if (a.rows <= 0 || a.n <= 0) return;
  switch (a.dtype) {
    case DType::boolean:
    case DType::uint8: return sort_dtype<uint8_t>(a);
    case DType::int32: return sort_dtype<int32_t>(a);
    case DType::int64: return sort_dtype<int64_t>(a);
    case DType::float32: return sort_dtype<float>(a);
    case DType::float64: return sort_dtype<double>(a);
  }
}
int64_t sort_workspace(const SortArgs& a) { return group_count(a) * group_bytes(a); }

// -- topk --------------------------------------------------------------------------------------------------------

// May any of the kBlock elements at x be larger than `least` (or NaN)? Always true for integers.
constexpr int64_t kBlock = 64;
template <class T>
PL_INLINE bool any_above(const T* x, T least) {
  if constexpr (static_cast<T>(0.5) != T(0)) {
    const vec<T> limit = broadcast(least);
    auto found = ~(load(x) <= limit);
    for (int64_t i = width<T>; i < kBlock; i += width<T>) found |= ~(load(x + i) <= limit);
    return any_(found);
  }
  return true;
}

constexpr int64_t kMostBest = 64;  // the op sorts for larger k

template <class T>
void topk_row(const SortArgs& a, int64_t row) {
  using K = typename keys<T>::type;
  const T* x = static_cast<const T*>(a.x) + row * a.n;
  int64_t* place = a.indices + row * a.k;
  K best[kMostBest];
  int64_t held = 0;
  for (int64_t i = 0; i < a.n;) {
    if (held == a.k && i + kBlock <= a.n && !any_above(x + i, keys<T>::value(best[held - 1]))) {
      i += kBlock;
      continue;
    }
    const int64_t stop = i + kBlock < a.n ? i + kBlock : a.n;
    for (; i < stop; ++i) {
      const K key = keys<T>::of(x[i], true);
      if (held == a.k && key <= best[held - 1]) continue;
      int64_t j = held < a.k ? held++ : held - 1;
      for (; j > 0 && best[j - 1] < key; --j) {
        best[j] = best[j - 1];
        place[j] = place[j - 1];
      }
      best[j] = key;
      place[j] = i;
    }
  }
}

template <class T>
void topk_dtype(const SortArgs& a) {
  const int64_t grain = 1 + kGroupElements * 4 / (a.n + 1);
  parallel_for(a.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) topk_row<T>(a, row);
  });
}

void topk(Stream, const SortArgs& a) {
  if (a.rows <= 0 || a.k <= 0) return;
  switch (a.dtype) {
    case DType::boolean:
    case DType::uint8: return topk_dtype<uint8_t>(a);
    case DType::int32: return topk_dtype<int32_t>(a);
    case DType::int64: return topk_dtype<int64_t>(a);
    case DType::float32: return topk_dtype<float>(a);
    case DType::float64: return topk_dtype<double>(a);
  }
}

// -- searchsorted ------------------------------------------------------------------------------------------------

template <class T>
void search_dtype(const SearchArgs& a) {
  using K = typename keys<T>::type;
  const T* sorted = static_cast<const T*>(a.sorted);
  const T* values = static_cast<const T*>(a.values);
  parallel_for(a.count, 1 << 11, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const K key = keys<T>::of(values[i], true);
      int64_t low = 0;
      for (int64_t left = a.n; left > 0;) {  // [low, low + left) is undecided; no branch on the data
        const int64_t half = left / 2;
        const K there = keys<T>::of(sorted[low + half], true);
        const bool above = there < key || (a.right && there == key);
        low = above ? low + half + 1 : low;
        left = above ? left - half - 1 : half;
      }
      a.y[i] = low;
    }
  });
}

void searchsorted(Stream, const SearchArgs& a) {
  switch (a.dtype) {
    case DType::boolean:
    case DType::uint8: return search_dtype<uint8_t>(a);
    case DType::int32: return search_dtype<int32_t>(a);
    case DType::int64: return search_dtype<int64_t>(a);
    case DType::float32: return search_dtype<float>(a);
    case DType::float64: return search_dtype<double>(a);
  }
}

}  // namespace

extern const SortKernels sort;
const SortKernels sort = {
    .sort = sort_forward,
    .sort_workspace = sort_workspace,
    .topk = topk,
    .searchsorted = searchsorted,
};

}  // namespace pl::PL_ISA
