// Finds and opens the device library. Compiled once, with the flags of ordinary code. CMakeLists.txt writes fields.h, the
// names of the kernel table's fields, from the headers of the families.
#include "kernels/backend.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "core/error.h"
#include "core/pool.h"
#include "core/runtime.h"
#include "fields.h"

namespace pl {
namespace {

// Where this module lies.
std::string folder() {
  Dl_info here;
  if (!dladdr(reinterpret_cast<void*>(&cuda_report), &here)) return ".";
  const std::string path = here.dli_fname;
  return path.substr(0, path.rfind('/'));
}

DeviceReport open_library() {
  DeviceReport r;
  const char* named = std::getenv("PYLEARN_CUDA_LIBRARY");
  r.library = named && *named ? named : folder() + "/libpylearn_cuda.so";
  void* handle = dlopen(r.library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* why = dlerror();
    r.why = named && *named ? std::string("PYLEARN_CUDA_LIBRARY cannot be opened: ") + why
                            : "this build has no CUDA library";
    if (!(named && *named)) r.library.clear();
    return r;
  }
  auto ask = reinterpret_cast<const Backend* (*)()>(dlsym(handle, "pylearn_backend"));
  const Backend* b = ask ? ask() : nullptr;
  if (!b || b->abi != kBackendAbi || b->table_size != sizeof(KernelTable)) {
    r.why = r.library + " belongs to another build of pylearn";
    return r;
  }
  DeviceRuntime runtime = {};
  if (const int code = b->open(&r.info, &runtime)) {
    r.why = std::string("no GPU can be used: ") + b->error_text(code);
    return r;
  }
  r.backend = b;
  r.usable = true;
  set_device_runtime(runtime);
  Pool::share_with_device();
  return r;
}

}  // namespace

const DeviceReport& cuda_report() {
  static const DeviceReport* report = new DeviceReport(open_library());
  return *report;
}

const KernelTable& kernels_here() {
  static const KernelTable& cpu = cpu_kernels();
  if (current_device() == Device::cpu) [[likely]]
    return cpu;
  const DeviceReport& r = cuda_report();
  if (!r.usable) raise<RuntimeError>("device 'cuda' is not available: ", r.why);
  return *r.backend->kernels;
}

const KernelField* kernel_fields(int* count) {
#define X(family, field) {#family "." #field, offsetof(KernelTable, family.field)},
  static constexpr KernelField fields[] = {PL_FOR_EACH_KERNEL(X)};
#undef X
  *count = static_cast<int>(std::size(fields));
  return fields;
}

const void* field_of(const KernelTable& table, const KernelField& field) {
  const void* p;
  std::memcpy(&p, reinterpret_cast<const char*>(&table) + field.offset, sizeof p);
  return p;
}

}  // namespace pl
