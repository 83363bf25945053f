#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#if defined(EMU_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
// The registers a function must preserve go on the stack of the one, the stack pointer changes, and those of the other
// come back.
asm(R"(
.text
.type emu_switch,@function
emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emu_switch,.-emu_switch
)");
extern "C" __attribute__((visibility("hidden"))) void emu_switch(void** save, void* load);
#endif

namespace emu {
namespace {

constexpr size_t kStack = size_t{256} << 10;  // address space; pages that are not touched cost nothing

std::vector<const char*>& guards() {
  static std::vector<const char*> all;
  return all;
}
size_t page_size() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

#if defined(EMU_ASAN)
Fiber*
    left;  // the fiber that the last switch came from; only its bounds can be unknown, when it is a stack of the system
void arrived(void* fake_stack) { __sanitizer_finish_switch_fiber(fake_stack, &left->bottom, &left->size); }
#else
void arrived(void*) {}
#endif

void (*first_call)();
void begin() {
  arrived(nullptr);
  first_call();
  std::abort();
}

}  // namespace

Fiber* new_fiber(void (*entry)()) {
  first_call = entry;
  const size_t page = page_size();
  void* memory = mmap(nullptr, page + kStack, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) {
    std::fprintf(stderr, "pylearn CUDA emulation: no memory for the stack of another thread\n");
    std::abort();
  }
  mprotect(memory, page, PROT_NONE);
  char* const bottom = static_cast<char*>(memory) + page;
  // Stacks begin at different places within a page, so that their tops do not share the sets of the cache.
  const size_t shift = guards().size() * 832 % 32768;
  guards().push_back(static_cast<char*>(memory));
  auto* f = new Fiber;
  f->bottom = bottom;
  f->size = kStack;
#if defined(__x86_64__)
  // Six saved registers, the address emu_switch returns to, and a null return address: the stack pointer stands as
  // after a call.
  void** sp = reinterpret_cast<void**>(bottom + kStack - 64 - shift / 64 * 64);
  sp[6] = reinterpret_cast<void*>(&begin);
  sp[7] = nullptr;
  f->sp = sp;
#else
  getcontext(&f->context);
  f->context.uc_stack.ss_sp = bottom;
  f->context.uc_stack.ss_size = kStack - shift / 64 * 64;
  f->context.uc_link = nullptr;
  makecontext(&f->context, &begin, 0);
#endif
  return f;
}

void switch_fiber(Fiber& from, Fiber& to) {
#if defined(EMU_ASAN)
  left = &from;
  __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom, to.size);
#endif
#if defined(__x86_64__)
  emu_switch(&from.sp, to.sp);
#else
  swapcontext(&from.context, &to.context);
#endif
  arrived(from.fake_stack);
}

bool in_guard_page(const void* address) {
  const size_t page = page_size();
  for (const char* g : guards())
    if (address >= g && address < g + page) return true;
  return false;
}

}  // namespace emu
