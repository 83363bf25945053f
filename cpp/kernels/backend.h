// What a device library hands over: a kernel table and a runtime. The library is opened when a device is first asked for
// (backend.cpp); the only symbol it exports is pylearn_backend.
#pragma once
#include <string>

#include "core/runtime.h"
#include "kernels/table.h"

namespace pl {

// Changed whenever these structs change, so that a library of another build is refused; so is another size of the table.
inline constexpr uint32_t kBackendAbi = 1;

struct DeviceInfo {
  char name[128];
  int major, minor;  // compute capability
  int multiprocessors;
  size_t memory;  // bytes
  int driver, runtime;
};

struct Backend {
  uint32_t abi;
  uint32_t table_size;         // sizeof(KernelTable)
  const char* build;           // compiler, architectures
  const KernelTable* kernels;  // fields without a kernel are null
  // Opens the first device; or gives an error code: error_text says why there is none.
  int (*open)(DeviceInfo* info, DeviceRuntime* runtime);
  const char* (*error_text)(int code);
};

// What became of the device library: opened when first asked for, and never closed.
struct DeviceReport {
  bool usable = false;
  std::string library;  // its path
  std::string why;      // it is not usable
  const Backend* backend = nullptr;
  DeviceInfo info = {};
};
// Looks for PYLEARN_CUDA_LIBRARY, else for the library beside the module.
const DeviceReport& cuda_report();

// The kernels of the calling thread's device. RuntimeError when there is no such device.
const KernelTable& kernels_here();

// A field of the kernel table, as in "linalg.gemm".
struct KernelField {
  const char* name;
  size_t offset;
};
const KernelField* kernel_fields(int* count);
const void* field_of(const KernelTable& table, const KernelField& field);

}  // namespace pl

extern "C" __attribute__((visibility("default"))) const pl::Backend* pylearn_backend();
