// Device and pinned memory.
#include <signal.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "host.h"

namespace emu {
namespace {

// Device memory of a plain build: one range of addresses. A piece is followed by a margin that nobody may write.
constexpr size_t kArena = size_t{8} << 30, kAlign = 256, kMargin = 256;
constexpr unsigned char kPoison = 0xFF, kUnwritten = 0xA5;

std::map<uintptr_t, size_t> device, pinned;  // address -> bytes
size_t used = 0;

uintptr_t address(const void* p) { return reinterpret_cast<uintptr_t>(p); }
void* pointer(uintptr_t a) { return reinterpret_cast<void*>(a); }

// The piece that holds p, or the end of the map.
std::map<uintptr_t, size_t>::const_iterator piece_at(const std::map<uintptr_t, size_t>& pieces,
                                                     const void* p) {
  auto it = pieces.upper_bound(address(p));
  if (it == pieces.begin()) return pieces.end();
  --it;
  return address(p) < it->first + it->second ? it : pieces.end();
}

#if !defined(EMU_ASAN)

struct Arena {
  char* base = nullptr;
  size_t touched = 0;                 // bytes that were ever handed out
  std::map<uintptr_t, size_t> holes;  // below that
  int open = 0;
  struct sigaction before = {};
};
Arena arena;

size_t extent(size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign + kMargin; }

void say(const char* text) {
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

// Says what the fault means, then lets the handler that was there before (Python's, or the system's) end the process.
void fault(int, siginfo_t* info, void*) {
  const auto* p = static_cast<const char*>(info->si_addr);
  char text[256];
  if (p >= arena.base && p < arena.base + kArena) {
    auto it = piece_at(device, p);
    if (it == device.end())
      std::snprintf(text, sizeof text,
                    "\npylearn CUDA emulation: device memory at %p was touched, where nothing is allocated\n",
                    info->si_addr);
    else if (arena.open)
      std::snprintf(text, sizeof text, "\npylearn CUDA emulation: device memory at %p cannot be touched\n",
                    info->si_addr);
    else
      std::snprintf(text, sizeof text,
                    "\npylearn CUDA emulation: host code touched device memory: byte %zu of %zu at %p. Copy "
                    "it with cudaMemcpy\n",
                    static_cast<size_t>(address(p) - it->first), it->second, info->si_addr);
    say(text);
  } else if (in_guard_page(p)) {
    say("\npylearn CUDA emulation: the stack of a thread overflowed\n");
  }
  if (g.launch && g.thread) {
    std::snprintf(text, sizeof text, "  in kernel %s, block (%u,%u,%u), thread %u\n",
                  name_of(g.launch->kernel), g.block->id.x, g.block->id.y, g.block->id.z, g.thread->index);
    say(text);
  }
  sigaction(SIGSEGV, &arena.before, nullptr);
}

void reserve() {
  void* memory = mmap(nullptr, kArena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::fprintf(stderr, "pylearn CUDA emulation: no %zu bytes of addresses for device memory\n", kArena);
    std::abort();
  }
  arena.base = static_cast<char*>(memory);
  // A handler of its own stack: the one of a thread of a kernel may be the one that overflowed.
  stack_t stack;
  if (sigaltstack(nullptr, &stack) == 0 && stack.ss_flags & SS_DISABLE) {
    static char memory_of_handler[64 << 10];
    stack = {};
    stack.ss_sp = memory_of_handler;
    stack.ss_size = sizeof memory_of_handler;
    sigaltstack(&stack, nullptr);
  }
  struct sigaction action = {};
  action.sa_sigaction = fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGSEGV, &action, &arena.before);
}

void* take(size_t bytes) {
  if (!arena.base) reserve();
  const size_t size = extent(bytes);
  uintptr_t at = 0;
  for (auto it = arena.holes.begin(); it != arena.holes.end(); ++it)
    if (it->second >= size) {
      at = it->first;
      if (it->second > size) arena.holes[at + size] = it->second - size;
      arena.holes.erase(at);
      break;
    }
  if (!at) {
    if (arena.touched + size > kArena) return nullptr;
    at = address(arena.base) + arena.touched;
    arena.touched += size;
    if (arena.open) mprotect(pointer(at & ~uintptr_t{4095}), size + 4096, PROT_READ | PROT_WRITE);
  }
  Access access;
  std::memset(pointer(at), kPoison, bytes);
  std::memset(pointer(at + bytes), kUnwritten, size - bytes);
  return pointer(at);
}

void check_margin(uintptr_t at, size_t bytes) {
  const auto* end = static_cast<const unsigned char*>(pointer(at + bytes));
  const size_t margin = extent(bytes) - bytes;
  for (size_t i = 0; i < margin; ++i)
    if (end[i] != kUnwritten)
      die("byte %zu beyond a piece of %zu bytes of device memory at %p was written", i, bytes, pointer(at));
}

void give_back(uintptr_t at, size_t bytes) {
  Access access;
  check_margin(at, bytes);
  std::memset(pointer(at), kPoison, bytes);
  size_t size = extent(bytes);
  auto next = arena.holes.lower_bound(at);
  if (next != arena.holes.end() && at + size == next->first) {
    size += next->second;
    next = arena.holes.erase(next);
  }
  if (next != arena.holes.begin()) {
    auto last = std::prev(next);
    if (last->first + last->second == at) {
      last->second += size;
      return;
    }
  }
  arena.holes[at] = size;
}

#else

void* take(size_t bytes) {
  void* p = nullptr;
  if (posix_memalign(&p, kAlign, bytes)) return nullptr;
  std::memset(p, kPoison, bytes);
  return p;
}
void give_back(uintptr_t at, size_t) { std::free(pointer(at)); }

#endif

}  // namespace

#if !defined(EMU_ASAN)
Access::Access() {
  if (arena.open++ == 0 && arena.touched) mprotect(arena.base, arena.touched, PROT_READ | PROT_WRITE);
}
Access::~Access() {
  if (--arena.open == 0 && arena.touched) mprotect(arena.base, arena.touched, PROT_NONE);
}
void check_margins() {
  for (const auto& [at, bytes] : device) check_margin(at, bytes);
}
#else
Access::Access() {}
Access::~Access() {}
void check_margins() {}
#endif

size_t memory_size() {
  static const size_t size = [] {
    const char* text = std::getenv("PYLEARN_CUDA_MEMORY");
    return text ? static_cast<size_t>(std::strtoull(text, nullptr, 10)) : size_t{4} << 30;
  }();
  return size;
}

std::recursive_mutex& runtime_lock() {
  static std::recursive_mutex lock;
  return lock;
}

Piece piece_of(const void* p) {
  std::lock_guard lock(runtime_lock());
  if (auto it = piece_at(device, p); it != device.end())
    return {Kind::device, it->first + it->second - address(p)};
  if (auto it = piece_at(pinned, p); it != pinned.end())
    return {Kind::pinned, it->first + it->second - address(p)};
  return {Kind::pageable, SIZE_MAX};
}

cudaError_t device_malloc(void** p, size_t bytes) {
  std::lock_guard lock(runtime_lock());
  *p = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (bytes > memory_size() || used + bytes > memory_size() || !(*p = take(bytes)))
    return note(cudaErrorMemoryAllocation);
  used += bytes;
  device[address(*p)] = bytes;
  return cudaSuccess;
}

void device_free(void* p) {
  std::lock_guard lock(runtime_lock());
  const auto it = device.find(address(p));
  if (it == device.end()) die("%p is freed, which is no piece of device memory (any more)", p);
  used -= it->second;
  give_back(it->first, it->second);
  device.erase(it);
}

cudaError_t host_malloc(void** p, size_t bytes) {
  std::lock_guard lock(runtime_lock());
  *p = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (posix_memalign(p, kAlign, bytes)) return note(cudaErrorMemoryAllocation);
  std::memset(*p, kPoison, bytes);
  pinned[address(*p)] = bytes;
  return cudaSuccess;
}

}  // namespace emu

cudaError_t cudaFree(void* p) {
  if (!p) return cudaSuccess;
  if (const cudaError_t e = cudaDeviceSynchronize()) return e;
  if (emu::piece_of(p).kind != emu::Kind::device) return emu::note(cudaErrorInvalidValue);
  emu::device_free(p);
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* p) {
  if (!p) return cudaSuccess;
  if (const cudaError_t e = cudaDeviceSynchronize()) return e;
  std::lock_guard lock(emu::runtime_lock());
  if (!emu::pinned.erase(emu::address(p))) return emu::note(cudaErrorInvalidValue);
  std::free(p);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  std::lock_guard lock(emu::runtime_lock());
  *total = emu::memory_size();
  *free = *total - emu::used;
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* p) {
  const emu::Kind kind = emu::piece_of(p).kind;
  void* const q = const_cast<void*>(p);
  *attributes = {};
  if (kind == emu::Kind::device) *attributes = {cudaMemoryTypeDevice, 0, q, nullptr};
  if (kind == emu::Kind::pinned) *attributes = {cudaMemoryTypeHost, 0, q, q};
  return cudaSuccess;
}
