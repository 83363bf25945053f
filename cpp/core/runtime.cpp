#include "core/runtime.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/pool.h"

namespace pl {
namespace {
thread_local Device current = Device::cpu;
DeviceRuntime open_runtime;
}  // namespace

std::atomic<bool> detail::device_open{false};
Device detail::thread_device() { return current; }
Device set_current_device(Device device) { return std::exchange(current, device); }

const char* device_name(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

const DeviceRuntime* device_runtime() { return detail::device_open ? &open_runtime : nullptr; }
void set_device_runtime(const DeviceRuntime& runtime) {
  open_runtime = runtime;
  detail::device_open = true;
}

Stream current_stream() { return current_device() == Device::cpu ? Stream{} : open_runtime.stream; }

void check_device(int code, const char* what) {
  if (code != 0) raise<RuntimeError>("the device failed in ", what, ": ", open_runtime.error_text(code));
}

void check_launch(const char* name) {
  if (const int code = open_runtime.error())
    raise<RuntimeError>("the device refused kernel '", name, "': ", open_runtime.error_text(code));
}

void raise_missing_kernel(const char* name) {
  raise<RuntimeError>("kernel '", name, "' has no ", device_name(current_device()),
                      " version (`pylearn info` lists those missing): move the arrays with .to('cpu')");
}

void synchronize() {
  if (device_runtime()) check_device(open_runtime.synchronize(open_runtime.stream), "synchronize");
}

void copy_bytes(void* to, Device to_device, const void* from, Device from_device, size_t bytes) {
  if (bytes == 0) return;
  if (to_device == Device::cpu && from_device == Device::cpu) {
    std::memcpy(to, from, bytes);
    return;
  }
  const auto copy = to_device == Device::cpu     ? open_runtime.to_host
                    : from_device == Device::cpu ? open_runtime.to_device
                                                 : open_runtime.copy;
  check_device(copy(to, from, bytes, open_runtime.stream), "a copy");
}

// Words that look like addresses of this process' mapped memory, of neither the device nor what is shared with it. A word
// with a small lowest byte may be an enum and the padding behind it.
void check_arguments(const char* name, const void* args, size_t bytes) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (size_t at = 0; at + sizeof(uintptr_t) <= bytes; at += sizeof(uintptr_t)) {
    uintptr_t word;
    std::memcpy(&word, static_cast<const char*>(args) + at, sizeof word);
    if (word >> 40 < 0x50 || word >> 47 || word % 8 || word % 256 < 8) continue;
    auto* p = reinterpret_cast<const void*>(word);
    if (Pool::on_device(p)) continue;
    unsigned char resident;
    if (mincore(reinterpret_cast<void*>(word / page * page), page, &resident) != 0) continue;
    raise<RuntimeError>("kernel '", name, "' was given host memory in byte ", at, " of its arguments");
  }
}

}  // namespace pl
