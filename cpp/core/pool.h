// Memory. Storages come from a pool that keeps what is freed for the next array of the same size class; a captured
// step records inside a pool of its own, whose ordinary reuse is the step's memory plan.
#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "core/ref.h"

namespace pl {

inline constexpr size_t kAlignment = 64;

class Pool : public RefCounted {
 public:
  ~Pool() override;
  // 64-byte aligned, at least one byte; MemoryError when the system has no more. Not zeroed.
  std::byte* allocate(size_t bytes);
  void free(std::byte* p, size_t bytes);
  void trim();                // gives the kept blocks back to the system
  size_t held_bytes() const;  // taken from the system and not given back
  size_t used_bytes() const;  // of those, in use
  size_t live_blocks() const;

  static Pool& global();  // never destroyed

 private:
  static size_t size_class(size_t bytes);
  mutable std::mutex mutex_;
  std::map<size_t, std::vector<std::byte*>> free_;
  size_t held_ = 0, used_ = 0, live_ = 0;
  friend struct PoolFork;
};

// The memory under one or more tensors.
class Storage : public RefCounted {
 public:
  Storage(Ref<Pool> pool, size_t bytes);
  // Memory that someone else owns (a NumPy array, a DLPack tensor); `release` is called once at the end.
  Storage(void* data, size_t bytes, bool readonly, std::function<void()> release);
  ~Storage() override;

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }  // from data() on; 0 for foreign memory that is not contiguous
  bool readonly() const { return readonly_; }
  Pool* pool() const { return pool_.get(); }
  uint64_t serial() const { return serial_; }  // no other storage has had this number
  // Counts the writes in place, so that autograd can tell when a saved tensor has changed.
  uint32_t version() const { return version_.load(std::memory_order_relaxed); }
  void bump() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  static inline std::atomic<uint64_t> next_serial_{0};
  Ref<Pool> pool_;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
  bool readonly_ = false;
  uint64_t serial_ = next_serial_.fetch_add(1, std::memory_order_relaxed);
  std::atomic<uint32_t> version_{0};
  std::function<void()> release_;
};

}  // namespace pl
