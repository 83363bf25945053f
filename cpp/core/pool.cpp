#include "core/pool.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "core/error.h"
#include "core/runtime.h"

namespace pl {
namespace {
constexpr size_t kKeepLimit = size_t{1} << 30;  // kept for reuse, at most
// Blocks from here on start at a huge page and ask for such pages, as NumPy's do: long rows cost fewer page walks.
constexpr size_t kHugePage = size_t{2} << 20, kHugeFrom = 2 * kHugePage;

constexpr size_t kSlab = size_t{64} << 10;  // of shared pages

std::byte* from_host(size_t size) {
  const bool huge = size >= kHugeFrom;
  void* p = std::aligned_alloc(huge ? kHugePage : kAlignment,
                               huge ? (size + kHugePage - 1) / kHugePage * kHugePage : size);
  if (p && huge) madvise(p, size, MADV_HUGEPAGE);  // advice: without it all works too
  return static_cast<std::byte*>(p);
}

// Every block that a device can reach, with its size.
class Reachable {
 public:
  void add(const void* p, size_t size) {
    std::lock_guard lock(mutex_);
    blocks_[static_cast<const std::byte*>(p)] = size;
  }
  void remove(const void* p) {
    std::lock_guard lock(mutex_);
    blocks_.erase(static_cast<const std::byte*>(p));
  }
  bool holds(const void* address) {
    auto* p = static_cast<const std::byte*>(address);
    std::lock_guard lock(mutex_);
    auto after = blocks_.upper_bound(p);
    return after != blocks_.begin() && p < std::prev(after)->first + std::prev(after)->second;
  }

 private:
  std::mutex mutex_;
  std::map<const std::byte*, size_t> blocks_;
};
Reachable& reachable() {
  static auto* blocks = new Reachable;
  return *blocks;
}

struct Slab {
  std::byte* p;
  size_t size;
};
std::vector<Slab>& slabs() {  // guarded by the shared pool's mutex
  static auto* all = new std::vector<Slab>;
  return *all;
}
}  // namespace

std::byte* Pool::from_system(size_t size) {
  if (place_ == Place::host) return from_host(size);
  if (place_ == Place::shared) return from_slab(size);
  void* p = nullptr;
  if (device_runtime()->allocate(&p, size) != 0) return nullptr;
  reachable().add(p, size);
  return static_cast<std::byte*>(p);
}

// Small blocks side by side in pages of their own, which are shared whole and never given back.
std::byte* Pool::from_slab(size_t size) {
  if (size > slab_left_) {
    slab_left_ = (std::max(size, kSlab) + kSlab - 1) / kSlab * kSlab;
    slab_ = static_cast<std::byte*>(std::aligned_alloc(kSlab, slab_left_));
    if (!slab_) return nullptr;
    slabs().push_back({slab_, slab_left_});
    reachable().add(slab_, slab_left_);
    if (const DeviceRuntime* d = device_runtime())
      check_device(d->share(slab_, slab_left_), "sharing memory");
  }
  std::byte* p = slab_;
  slab_ += size;
  slab_left_ -= size;
  return p;
}

void Pool::to_system(std::byte* p) {
  if (place_ == Place::host) return std::free(p);
  if (place_ == Place::shared) return;
  reachable().remove(p);
  device_runtime()->free(p);
}

bool Pool::on_device(const void* p) { return reachable().holds(p); }

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
    if (!p && release_kept() > 0) p = from_system(size);
    if (!p)
      raise<MemoryError>("cannot allocate ", bytes, " bytes", place_ == Place::device ? " on the device" : "",
                         " (", held_, " held, ", used_, " of them used by ", live_, " arrays)");
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
  if (place_ == Place::host && held_ - used_ > kKeepLimit) {
    to_system(p);
    held_ -= size;
  } else {
    free_[bin(size)].push_back(p);
  }
}

size_t Pool::release_kept() {
  if (place_ == Place::shared) return 0;
  const size_t released = held_ - used_;
  for (std::vector<std::byte*>& blocks : free_) {
    for (std::byte* p : blocks) to_system(p);
    blocks.clear();
  }
  held_ = used_;
  return released;
}

void Pool::trim() {
  std::lock_guard lock(mutex_);
  release_kept();
#if defined(__GLIBC__)
  if (place_ == Place::host) malloc_trim(0);  // of freed blocks below its threshold, malloc keeps the pages
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
  static void before() {
    Pool::global().mutex_.lock();
    Pool::shared().mutex_.lock();
  }
  static void after() {
    Pool::shared().mutex_.unlock();
    Pool::global().mutex_.unlock();
  }
};

namespace {
Pool* immortal(Place place) {
  auto* p = new Pool(place);
  p->retain();
  return p;
}
}  // namespace

Pool& Pool::global() {
  static Pool* pool = immortal(Place::host);
  static int once = pthread_atfork(PoolFork::before, PoolFork::after, PoolFork::after);
  (void)once;
  return *pool;
}

Pool& Pool::device() {
  static Pool* pool = immortal(Place::device);
  return *pool;
}

Pool& Pool::shared() {
  static Pool* pool = immortal(Place::shared);
  return *pool;
}

Pool& Pool::here() { return current_device() == Device::cpu ? global() : device(); }

void Pool::share_with_device() {
  std::lock_guard lock(shared().mutex_);
  for (const Slab& slab : slabs()) check_device(device_runtime()->share(slab.p, slab.size), "sharing memory");
}

Storage::Storage(Ref<Pool> pool, size_t bytes)
    : pool_(std::move(pool)), data_(pool_->allocate(bytes)), bytes_(bytes), place_(pool_->place()) {}

Storage::Storage(void* data, size_t bytes, bool readonly, std::function<void()> release, Place place)
    : data_(static_cast<std::byte*>(data)),
      bytes_(bytes),
      readonly_(readonly),
      place_(place),
      release_(std::move(release)) {}

Storage::~Storage() {
  if (pool_)
    pool_->free(data_, bytes_);
  else if (release_)
    release_();
}

}  // namespace pl
