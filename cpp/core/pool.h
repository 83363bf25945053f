// Memory. Storages come from a pool that keeps what is freed for the next array of the same size class; a captured
// step records inside a pool of its own, whose ordinary reuse is the step's memory plan.
#pragma once
#include <array>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

#include "core/device.h"
#include "core/ref.h"

namespace pl {

inline constexpr size_t kAlignment = 64;

// Where a pool's blocks lie: in host memory, in the device's, or in pages of the host that the device reaches too.
enum class Place : uint8_t { host, device, shared };

class Pool : public RefCounted {
 public:
  explicit Pool(Place place = Place::host) : place_(place) {}
  ~Pool() override;
  Place place() const { return place_; }
  // 64-byte aligned, at least one byte; MemoryError when the system has no more. Not zeroed.
  std::byte* allocate(size_t bytes);
  void free(std::byte* p, size_t bytes);
  void trim();                // gives the kept blocks back to the system
  size_t held_bytes() const;  // taken from the system and not given back
  size_t used_bytes() const;  // of those, in use
  size_t live_blocks() const;

  // Never destroyed.
  static Pool& global();
  static Pool& device();
  static Pool& shared();
  static Pool& here();  // device() or global(), as the calling thread's device is
  // Can the device reach this address?
  static bool on_device(const void* p);
  // Shares what Place::shared has taken before there was a device.
  static void share_with_device();

 private:
  // Four size classes an octave. bin() numbers them; size_class() is how large its blocks are.
  static size_t size_class(size_t bytes);
  static size_t bin(size_t size_class);
  static constexpr size_t kBins = 4 * 48;
  std::byte* from_system(size_t size);
  std::byte* from_slab(size_t size);
  void to_system(std::byte* p);
  size_t release_kept();  // bytes given back
  const Place place_;
  std::byte* slab_ = nullptr;  // the rest of the newest slab of shared pages
  size_t slab_left_ = 0;
  mutable std::mutex mutex_;
  std::array<std::vector<std::byte*>, kBins> free_;
  size_t held_ = 0, used_ = 0, live_ = 0;
  friend struct PoolFork;
};

// The memory under one or more tensors.
class Storage : public RefCounted {
 public:
  Storage(Ref<Pool> pool, size_t bytes);
  // Memory that someone else owns (a NumPy array, a DLPack tensor); `release` is called once at the end.
  Storage(void* data, size_t bytes, bool readonly, std::function<void()> release, Place place = Place::host);
  ~Storage() override;

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }  // from data() on; 0 for foreign memory that is not contiguous
  bool readonly() const { return readonly_; }
  Pool* pool() const { return pool_.get(); }
  Place place() const { return place_; }
  Device device() const { return place() == Place::device ? Device::cuda : Device::cpu; }
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
  Place place_;
  uint64_t serial_ = next_serial_.fetch_add(1, std::memory_order_relaxed);
  std::atomic<uint32_t> version_{0};
  std::function<void()> release_;
};

}  // namespace pl
