// Which device the calling thread's ops work on, and what moves bytes between devices.
#pragma once
#include <atomic>
#include <cstddef>

#include "core/device.h"

namespace pl {

// Memory, order and recorded graphs of a device other than the CPU. Functions that return int give 0 or an error code.
struct DeviceRuntime {
  bool emulated;  // kernels run on the host, for tests
  Stream stream;  // all work goes there, in order
  // The first error of this thread's launches since the last call, or 0.
  int (*error)();
  const char* (*error_text)(int code);

  int (*allocate)(void** p, size_t bytes);
  int (*free)(void* p);
  // Lets the device reach host memory, whole pages, at the same address: status words, states of generators.
  int (*share)(void* p, size_t bytes);
  // In order on the stream. to_device returns when `from` may change; to_host when the bytes are there.
  int (*to_device)(void* to, const void* from, size_t bytes, Stream stream);
  int (*to_host)(void* to, const void* from, size_t bytes, Stream stream);
  int (*copy)(void* to, const void* from, size_t bytes, Stream stream);
  int (*synchronize)(Stream stream);

  // What is launched between begin and end is written down, not run.
  int (*begin_graph)(Stream stream);
  int (*end_graph)(Stream stream, void** graph);
  int (*run_graph)(void* graph, Stream stream);
  int (*free_graph)(void* graph);
};

namespace detail {
extern std::atomic<bool> device_open;  // until then there is only the CPU, and nobody needs to ask
Device thread_device();
}  // namespace detail

inline Device current_device() {
  return detail::device_open.load(std::memory_order_relaxed) ? detail::thread_device() : Device::cpu;
}
Device set_current_device(Device device);  // returns the one before

// While it lasts, ops of this thread allocate and launch on the device.
class DeviceScope {
 public:
  explicit DeviceScope(Device device) : before_(current_device()) {
    if (device != before_) set_current_device(device);
  }
  ~DeviceScope() {
    if (detail::device_open.load(std::memory_order_relaxed)) set_current_device(before_);
  }
  DeviceScope(const DeviceScope&) = delete;

 private:
  Device before_;
};

const char* device_name(Device device);  // "cpu", "cuda"

// The open device besides the CPU, or null. Set once, by whoever opens the library.
const DeviceRuntime* device_runtime();
void set_device_runtime(const DeviceRuntime& runtime);

// The queue of the calling thread's device.
Stream current_stream();

// RuntimeError (MemoryError where memory ran out) unless code is 0; `what` was tried.
void check_device(int code, const char* what);
// What the launch of `name` left behind.
void check_launch(const char* name);
[[noreturn]] void raise_missing_kernel(const char* name);
// Waits until the device has done all that was asked for; nothing to wait for without one.
void synchronize();

// In the order of the device's work; returns when `from` may change and, towards the CPU, when `to` is there.
void copy_bytes(void* to, Device to_device, const void* from, Device from_device, size_t bytes);

// For the emulated device: a launch whose arguments hold an address of plain host memory would fail on a real one.
void check_arguments(const char* name, const void* args, size_t bytes);

}  // namespace pl
