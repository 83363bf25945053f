// The thread pool. One function: kernels call parallel_for, nothing else in pylearn starts a thread.
//
// [0, n) is cut into chunks of `grain` (the last may be shorter). The cut depends on the work, never on the
// number of threads, and every chunk is run once by one thread: a kernel whose chunks write apart from each
// other, and whose partial sums are combined in chunk order, gives the same bits for any number of threads.
#pragma once
#include <cstdint>

namespace pl {

using ChunkFn = void (*)(void* context, int64_t begin, int64_t end);

// Runs body over the chunks on the pool's threads and returns when all are done. Runs inline when there is one
// chunk, one thread, when called from inside a parallel_for, or while another thread is using the pool.
// With `interruptible`, chunks not yet started are skipped once interrupted() is true; a kernel that updates
// in place must pass false.
void parallel_for_chunks(int64_t n, int64_t grain, ChunkFn body, void* context, bool interruptible);

template <class F>
inline void parallel_for(int64_t n, int64_t grain, const F& body, bool interruptible = true) {
  if (n <= 0) return;
  if (n <= grain) return body(int64_t{0}, n);
  parallel_for_chunks(
      n, grain, [](void* f, int64_t begin, int64_t end) { (*static_cast<const F*>(f))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&body)), interruptible);
}

// The number of threads used from now on, 1 to kMaxThreads. The first value is PYLEARN_NUM_THREADS, or the
// number of processors this process may run on.
inline constexpr int kMaxThreads = 256;
int num_threads();
void set_num_threads(int n);

// Ctrl-C. `poll` is called by the thread that called parallel_for, between chunks, at most every 20 ms; when it
// returns true the rest of the interruptible work is skipped. The bindings install it (it takes the GIL and asks
// Python); without one nothing is polled.
using InterruptPoll = bool (*)();
void set_interrupt_poll(InterruptPoll poll);
bool interrupted();        // has the calling thread's present work been interrupted?
void clear_interrupted();  // called by the one who turns it into an exception

}  // namespace pl
