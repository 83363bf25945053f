// What a device library hands over: a kernel table, memory, and captured graphs. The library is opened at run time; the
// only symbol it exports is pylearn_backend. Functions that return int give 0 or an error code; error_text names it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/table.h"

namespace pl {

// Changed whenever this struct changes; the sizes of the table and of its arguments join it, so that a library of
// another build is refused.
inline constexpr uint32_t kBackendAbi = 1;

struct DeviceInfo {
  char name[128];
  int major, minor;  // compute capability
  int multiprocessors;
  size_t memory;  // bytes
  int driver, runtime;
  bool emulated;
};

struct Backend {
  uint32_t abi;
  uint32_t table_size;  // sizeof(KernelTable)
  const char* build;    // compiler, architectures
  // Fields without a kernel are null.
  const KernelTable* kernels;

  int (*count)(int* devices);  // 0 devices is no error where there is no driver or no GPU: `why` tells
  const char* (*why)();
  int (*open)(int device, DeviceInfo* info, Stream* stream);
  // The first error of this thread's launches since the last call, or 0.
  int (*error)();
  const char* (*error_text)(int code);

  int (*allocate)(void** p, size_t bytes);
  int (*free)(void* p);
  // Memory that host and device share at one address, for status words and small tables.
  int (*allocate_shared)(void** p, size_t bytes);
  int (*free_shared)(void* p);
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

}  // namespace pl

extern "C" __attribute__((visibility("default"))) const pl::Backend* pylearn_backend();
