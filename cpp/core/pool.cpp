#include "core/pool.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "core/error.h"

namespace pl {
namespace {
constexpr size_t kKeepLimit = size_t{1} << 30;  // kept for reuse, at most
// Blocks from here on start at a huge page and ask for such pages, as NumPy's do: long rows cost fewer page walks.
constexpr size_t kHugePage = size_t{2} << 20, kHugeFrom = 2 * kHugePage;

std::byte* from_system(size_t size) {
  const bool huge = size >= kHugeFrom;
  void* p = std::aligned_alloc(huge ? kHugePage : kAlignment,
                               huge ? (size + kHugePage - 1) / kHugePage * kHugePage : size);
  if (p && huge) madvise(p, size, MADV_HUGEPAGE);  // advice: without it all works too
  return static_cast<std::byte*>(p);
}
}  // namespace

// Four classes an octave: at most a quarter of a block is unused.
size_t Pool::size_class(size_t bytes) {
  if (bytes <= kAlignment) return kAlignment;
  size_t step = std::max<size_t>(kAlignment, size_t{1} << (61 - __builtin_clzll(bytes - 1)));
  return (bytes + step - 1) / step * step;
}

size_t Pool::bin(size_t size_class) {
  const size_t octave = static_cast<size_t>(63 - __builtin_clzll(size_class));
  return octave < 6 ? 0 : std::min(kBins - 1, (octave - 6) * 4 + ((size_class >> (octave - 2)) & 3));
}

std::byte* Pool::allocate(size_t bytes) {
  if (bytes > (size_t{1} << 47)) raise<MemoryError>("cannot allocate ", bytes, " bytes");
  size_t size = size_class(bytes);
  std::lock_guard lock(mutex_);
  std::byte* p = nullptr;
  std::vector<std::byte*>& kept = free_[bin(size)];
  if (!kept.empty()) {
    p = kept.back();
    kept.pop_back();
  } else {
    p = from_system(size);
    if (!p) raise<MemoryError>("cannot allocate ", bytes, " bytes (", held_, " held)");
    held_ += size;
  }
  used_ += size;
  ++live_;
  return p;
}

void Pool::free(std::byte* p, size_t bytes) {
  size_t size = size_class(bytes);
  std::lock_guard lock(mutex_);
  used_ -= size;
  --live_;
  if (held_ - used_ > kKeepLimit) {
    std::free(p);
    held_ -= size;
  } else {
    free_[bin(size)].push_back(p);
  }
}

void Pool::trim() {
  std::lock_guard lock(mutex_);
  for (std::vector<std::byte*>& blocks : free_) {
    for (std::byte* p : blocks) std::free(p);
    blocks.clear();
  }
  held_ = used_;
#if defined(__GLIBC__)
  malloc_trim(0);  // of freed blocks below its threshold, malloc keeps the pages
#endif
}

size_t Pool::held_bytes() const {
  std::lock_guard lock(mutex_);
  return held_;
}
size_t Pool::used_bytes() const {
  std::lock_guard lock(mutex_);
  return used_;
}
size_t Pool::live_blocks() const {
  std::lock_guard lock(mutex_);
  return live_;
}

Pool::~Pool() { trim(); }

// fork() copies only the calling thread: another's lock would stay taken in the child for ever.
struct PoolFork {
  static void before() { Pool::global().mutex_.lock(); }
  static void after() { Pool::global().mutex_.unlock(); }
};

Pool& Pool::global() {
  static Pool* pool = [] {
    auto* p = new Pool;
    p->retain();
    return p;
  }();
  static int once = pthread_atfork(PoolFork::before, PoolFork::after, PoolFork::after);
  (void)once;
  return *pool;
}

Storage::Storage(Ref<Pool> pool, size_t bytes)
    : pool_(std::move(pool)), data_(pool_->allocate(bytes)), bytes_(bytes) {}

Storage::Storage(void* data, size_t bytes, bool readonly, std::function<void()> release)
    : data_(static_cast<std::byte*>(data)),
      bytes_(bytes),
      readonly_(readonly),
      release_(std::move(release)) {}

Storage::~Storage() {
  if (pool_)
    pool_->free(data_, bytes_);
  else if (release_)
    release_();
}

}  // namespace pl
