// A stack of one's own and the switch to it: hand-written on x86-64 (a few nanoseconds), ucontext elsewhere.
#pragma once
#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define EMU_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMU_ASAN 1
#endif
#endif

namespace emu {

struct Fiber {
#if defined(__x86_64__)
  void* sp = nullptr;
#else
  ucontext_t context;
#endif
  // What AddressSanitizer wants to know.
  void* fake_stack = nullptr;
  const void* bottom = nullptr;
  size_t size = 0;
};

// A new stack with a page below it that faults; `entry` must never return. Stacks are kept for ever and reused.
Fiber* new_fiber(void (*entry)());

// Goes on in `to`; returns when something switches back to `from`.
void switch_fiber(Fiber& from, Fiber& to);

// Whether an address that faulted lies in the guard page of a stack.
bool in_guard_page(const void* address);

}  // namespace emu
