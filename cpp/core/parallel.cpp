// A team of detached worker threads, started by the first parallel_for that needs it and replaced when the
// number of threads changes. Workers spin briefly for the next job, then sleep on a futex.
//
// A job is open while the team's state has free slots; a worker joins by taking one, and the caller, once the
// chunks run out, takes the remaining slots away and waits for those that joined. So a worker that wakes late
// (or never, on a crowded machine) costs nothing: the job is then already closed to it.
//
// Everything here is constant-initialised, trivially destructible or leaked: sleeping workers outlive static
// destructors without harm. After fork() the child drops the team, whose threads it does not have.
#include "core/parallel.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <system_error>
#include <thread>

namespace pl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kSpin = std::chrono::microseconds(40);       // a worker that waits for its next job
constexpr auto kJoinSpin = std::chrono::microseconds(100);  // a caller that waits for the last chunks
constexpr auto kPollEvery = std::chrono::milliseconds(20);

constexpr uint64_t kOneJoined = 1, kJoined = 0xffff;
constexpr uint64_t kOneSlot = uint64_t{1} << 16, kSlots = 0xffff * kOneSlot;
constexpr uint64_t kWaiting = uint64_t{1} << 32;  // the caller sleeps on Team::done

struct Job {
  ChunkFn body = nullptr;
  void* context = nullptr;
  int64_t n = 0, grain = 0, chunks = 0;
  bool interruptible = false;
  std::atomic<bool> interrupted{false};
  alignas(64) std::atomic<int64_t> next{0};
};

struct alignas(64) Team {
  int wanted = 0;   // workers asked for
  int workers = 0;  // workers started; fewer when the system refuses a thread
  bool may_spin = true;
  Job job;
  alignas(64) std::atomic<uint32_t> signal{0};  // bumped for each job, and to quit
  std::atomic<int> sleepers{0};
  std::atomic<bool> quit{false};
  alignas(64) std::atomic<uint64_t> state{0};  // joined | slots | waiting
  std::atomic<uint32_t> done{0};
  std::atomic<int> references{1};  // the pool and each worker
};

std::atomic<int> g_threads{0};  // 0: not yet known
std::atomic<bool> g_owned{false};
std::atomic<InterruptPoll> g_poll{nullptr};
Team* g_team = nullptr;  // belongs to who holds g_owned
bool g_fork_handler = false;

thread_local Job* t_job = nullptr;  // the job this thread is running a chunk of
thread_local bool t_worker = false;
thread_local bool t_interrupted = false;
thread_local Clock::time_point t_last_poll{};

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

void futex_wait(std::atomic<uint32_t>& word, uint32_t value) {
  static_assert(sizeof word == 4);
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void futex_wake(std::atomic<uint32_t>& word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

// Waits for ready() by spinning; false when the time is up.
template <class Ready>
bool spin_until(Clock::duration limit, const Ready& ready) {
  const Clock::time_point end = Clock::now() + limit;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause_cpu();
    }
  } while (Clock::now() < end);
  return ready();
}

// Runs on the calling thread of a job, between chunks.
void poll_interrupt(Job& job) {
  const InterruptPoll poll = g_poll.load(std::memory_order_relaxed);
  if (!poll || t_worker || !job.interruptible) return;
  const Clock::time_point now = Clock::now();
  if (now - t_last_poll < kPollEvery) return;
  const bool stop = poll();
  t_last_poll = Clock::now();
  if (!stop) return;
  t_interrupted = true;
  job.interrupted.store(true, std::memory_order_relaxed);
}

void run_chunks(Job& job) {
  Job* const outer = t_job;
  t_job = &job;
  for (;;) {
    if (job.interruptible && job.interrupted.load(std::memory_order_relaxed)) break;
    const int64_t chunk = job.next.fetch_add(1, std::memory_order_relaxed);
    if (chunk >= job.chunks) break;
    const int64_t begin = chunk * job.grain;
    const int64_t left = job.n - begin;
    job.body(job.context, begin, begin + (left < job.grain ? left : job.grain));
    poll_interrupt(job);
  }
  t_job = outer;
}

void release(Team* team) {
  if (team->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete team;
}

bool join(Team& team) {
  uint64_t s = team.state.load(std::memory_order_acquire);
  while (s & kSlots)
    if (team.state.compare_exchange_weak(s, s - kOneSlot + kOneJoined, std::memory_order_acq_rel))
      return true;
  return false;
}

void leave(Team& team) {
  const uint64_t before = team.state.fetch_sub(kOneJoined, std::memory_order_acq_rel);
  if ((before & kJoined) != 1 || !(before & kWaiting)) return;
  team.done.fetch_add(1);
  futex_wake(team.done, 1);
}

void work(Team* team) {
  t_worker = true;
  for (uint32_t seen = 0;;) {
    const auto called = [&] { return team->signal.load(std::memory_order_acquire) != seen; };
    if (!(team->may_spin && spin_until(kSpin, called))) {
      team->sleepers.fetch_add(1);
      while (team->signal.load() == seen) futex_wait(team->signal, seen);
      team->sleepers.fetch_sub(1);
    }
    seen = team->signal.load(std::memory_order_acquire);
    if (team->quit.load(std::memory_order_acquire)) break;
    if (join(*team)) {
      run_chunks(team->job);
      leave(*team);
    }
  }
  release(team);
}

void call(Team& team, int workers) {
  team.signal.fetch_add(1);
  if (team.sleepers.load() > 0) futex_wake(team.signal, workers);
}

int processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? static_cast<int>(n) : 1;
}

int clamp_threads(long n) { return static_cast<int>(n < 1 ? 1 : n > kMaxThreads ? kMaxThreads : n); }

// The child has one thread, the one that forked. If that one is itself inside a job (a signal handler run by
// the poll forked), it must not wait for the others.
void forget_team_in_child() {
  if (g_team) g_team->state.store(0);
  g_team = nullptr;
  g_owned.store(false);
}

void replace_team(int workers) {
  if (g_team) {
    g_team->quit.store(true);
    call(*g_team, g_team->workers);
    release(g_team);
    g_team = nullptr;
  }
  Team* team = new (std::nothrow) Team;
  if (!team) return;
  if (!g_fork_handler) g_fork_handler = pthread_atfork(nullptr, nullptr, forget_team_in_child) == 0;
  team->wanted = workers;
  team->may_spin = workers < processors();
  sigset_t all, before;  // signals are for the program's own threads
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (; team->workers < workers; ++team->workers) {
    team->references.fetch_add(1);
    try {
      std::thread(work, team).detach();
    } catch (const std::system_error&) {
      team->references.fetch_sub(1);
      break;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  g_team = team;
}

void run_inline(int64_t n, int64_t grain, ChunkFn body, void* context, bool interruptible) {
  Job job;
  job.body = body;
  job.context = context;
  job.n = n;
  job.grain = grain;
  job.chunks = (n + grain - 1) / grain;
  job.interruptible = interruptible && !(t_job && !t_job->interruptible);
  job.interrupted.store(interrupted(), std::memory_order_relaxed);
  run_chunks(job);
  if (t_job && job.interrupted.load(std::memory_order_relaxed))
    t_job->interrupted.store(true, std::memory_order_relaxed);
}

void run_on_team(Team& team, int64_t n, int64_t grain, ChunkFn body, void* context, bool interruptible) {
  Job& job = team.job;
  job.body = body;
  job.context = context;
  job.n = n;
  job.grain = grain;
  job.chunks = (n + grain - 1) / grain;
  job.interruptible = interruptible;
  job.interrupted.store(interruptible && t_interrupted, std::memory_order_relaxed);
  job.next.store(0, std::memory_order_relaxed);
  const int64_t others = job.chunks - 1;
  const int slots = others < team.workers ? static_cast<int>(others) : team.workers;
  team.state.store(static_cast<uint64_t>(slots) * kOneSlot, std::memory_order_release);
  call(team, slots);

  run_chunks(job);

  const auto all_left = [&] { return (team.state.load(std::memory_order_acquire) & kJoined) == 0; };
  team.state.fetch_and(~kSlots, std::memory_order_acq_rel);
  if (all_left() || (team.may_spin && spin_until(kJoinSpin, all_left))) return;
  for (;;) {
    const uint32_t done = team.done.load();
    if ((team.state.fetch_or(kWaiting, std::memory_order_acq_rel) & kJoined) == 0) return;
    futex_wait(team.done, done);
  }
}

}  // namespace

void parallel_for_chunks(int64_t n, int64_t grain, ChunkFn body, void* context, bool interruptible) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  const int threads = num_threads();
  if (threads == 1 || n <= grain || t_job || g_owned.exchange(true, std::memory_order_acquire))
    return run_inline(n, grain, body, context, interruptible);
  if (!g_team || g_team->wanted != threads - 1) replace_team(threads - 1);
  if (g_team)
    run_on_team(*g_team, n, grain, body, context, interruptible);
  else
    run_inline(n, grain, body, context, interruptible);
  g_owned.store(false, std::memory_order_release);
}

int num_threads() {
  const int known = g_threads.load(std::memory_order_relaxed);
  if (known) return known;
  int n = 0;
  if (const char* text = std::getenv("PYLEARN_NUM_THREADS")) {
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && value > 0) n = clamp_threads(value);
  }
  if (!n) n = clamp_threads(processors());
  int expected = 0;
  g_threads.compare_exchange_strong(expected, n);
  return g_threads.load();
}

void set_num_threads(int n) { g_threads.store(clamp_threads(n)); }

void set_interrupt_poll(InterruptPoll poll) { g_poll.store(poll); }

bool interrupted() { return t_interrupted || (t_job && t_job->interrupted.load(std::memory_order_relaxed)); }

void clear_interrupted() { t_interrupted = false; }

}  // namespace pl
