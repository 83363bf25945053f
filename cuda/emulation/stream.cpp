// Streams, events and graphs. Each is a list of things to do: a stream's are done when somebody waits for them, a
// captured stream's go to the graph, a graph's are done again at every launch.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "host.h"

using emu::note;

struct CUgraph_st {
  std::vector<std::function<void()>> nodes;
  std::set<CUstream_st*> streams;  // that are captured in it
  CUstream_st* origin = nullptr;
  bool invalid = false;
};
struct CUgraphExec_st {
  std::vector<std::function<void()>> nodes;
};
struct CUstream_st {
  std::deque<std::function<void()>> todo;
  CUgraph_st* capture = nullptr;
  bool unjoined = false;  // in a capture: the origin has not waited for what came last
  bool running = false;
};
struct CUevent_st {
  CUstream_st* stream = nullptr;  // whose recording is not done yet
  uint64_t recordings = 0, done = 0;
  CUgraph_st* capture = nullptr;    // recorded in this capture,
  CUstream_st* captured = nullptr;  // by this stream
  bool recorded = false;
  std::chrono::steady_clock::time_point time;
};

namespace emu {
namespace {

std::set<CUstream_st*> streams;
thread_local cudaError_t last = cudaSuccess;
cudaError_t sticky = cudaSuccess;
std::map<const void*, int> shared_limits;
int captures = 0;

bool is_null(cudaStream_t s) { return reinterpret_cast<uintptr_t>(s) <= 2; }

bool known(cudaStream_t s) { return is_null(s) || streams.count(s); }

// Does what the stream has to do, in order.
void drain(CUstream_st* s) {
  if (s->running) return;  // a cycle of events: the one that waits is already at it
  Access access;
  s->running = true;
  while (!s->todo.empty()) {
    auto work = std::move(s->todo.front());
    s->todo.pop_front();
    work();
  }
  s->running = false;
}
void drain_all() {
  std::vector<CUstream_st*> all(streams.begin(), streams.end());
  if (g.order == reverse) all.assign(streams.rbegin(), streams.rend());
  for (CUstream_st* s : all) drain(s);
}

// Puts work on the stream, or into the graph that it is captured in.
cudaError_t put(cudaStream_t s, std::function<void()> work) {
  if (sticky) return note(sticky);
  if (!known(s)) return note(cudaErrorInvalidResourceHandle);
  if (is_null(s)) {
    if (captures) return note(cudaErrorStreamCaptureImplicit);
    drain_all();
    Access access;
    work();
    return cudaSuccess;
  }
  if (s->capture) {
    if (s->capture->invalid) return note(cudaErrorStreamCaptureInvalidated);
    s->capture->nodes.push_back(std::move(work));
    if (s != s->capture->origin) s->unjoined = true;
    return cudaSuccess;
  }
  s->todo.push_back(std::move(work));
  return cudaSuccess;
}

// What may not be called while the stream (or, for null, any stream) is captured.
cudaError_t refuse_capture(cudaStream_t s) {
  if (sticky) return note(sticky);
  if (!is_null(s)) {
    if (!known(s)) return note(cudaErrorInvalidResourceHandle);
    if (!s->capture) return cudaSuccess;
    s->capture->invalid = true;
    return note(cudaErrorStreamCaptureUnsupported);
  }
  bool any = false;
  for (CUstream_st* k : streams)
    if (k->capture) any = k->capture->invalid = true;
  return any ? note(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

bool direction_fits(Kind to, Kind from, cudaMemcpyKind kind) {
  switch (kind) {
    case cudaMemcpyHostToHost: return to != Kind::device && from != Kind::device;
    case cudaMemcpyHostToDevice: return to != Kind::pageable && from != Kind::device;
    case cudaMemcpyDeviceToHost: return to != Kind::device && from != Kind::pageable;
    case cudaMemcpyDeviceToDevice: return to != Kind::pageable && from != Kind::pageable;
    case cudaMemcpyDefault: return true;
  }
  return false;
}

}  // namespace

cudaError_t note(cudaError_t error) {
  if (error) last = error;
  return error;
}

cudaError_t launch(const cudaLaunchConfig_t& config, Launch launch) {
  std::lock_guard lock(runtime_lock());
  const dim3 grid = config.gridDim, block = config.blockDim;
  launch.grid = grid;
  launch.block = block;
  launch.cluster = dim3(1);
  launch.shared = config.dynamicSmemBytes;
  for (unsigned i = 0; i < config.numAttrs; ++i) {
    const cudaLaunchAttribute& a = config.attrs[i];
    if (a.id == cudaLaunchAttributeCooperative) launch.cooperative = a.val.cooperative != 0;
    if (a.id == cudaLaunchAttributeClusterDimension)
      launch.cluster = dim3(a.val.clusterDim.x, a.val.clusterDim.y, a.val.clusterDim.z);
  }
  const uint64_t threads = uint64_t{block.x} * block.y * block.z, blocks = uint64_t{grid.x} * grid.y * grid.z;
  if (threads == 0 || threads > 1024 || block.x > 1024 || block.y > 1024 || block.z > 64)
    return note(cudaErrorInvalidConfiguration);
  if (blocks == 0 || grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535)
    return note(cudaErrorInvalidConfiguration);
  const auto limit = shared_limits.find(launch.kernel);
  if (launch.shared > (limit == shared_limits.end() ? kSharedPlain : static_cast<size_t>(limit->second)))
    return note(cudaErrorInvalidValue);
  const uint64_t cluster = uint64_t{launch.cluster.x} * launch.cluster.y * launch.cluster.z;
  if (cluster == 0 || cluster > 8 || grid.x % launch.cluster.x || grid.y % launch.cluster.y ||
      grid.z % launch.cluster.z)
    return note(cudaErrorInvalidConfiguration);
  if (launch.cooperative) {
    int each = 0, sms = 0;
    occupancy(&each, launch.kernel, static_cast<int>(threads), launch.shared);
    cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, 0);
    if (blocks > uint64_t(each) * uint64_t(sms)) return note(cudaErrorCooperativeLaunchTooLarge);
  }
  return put(config.stream, [launch] {
    if (sticky) return;
    run(launch);
    check_margins();
  });
}

cudaError_t set_attribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  std::lock_guard lock(runtime_lock());
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  if (value < 0 || static_cast<size_t>(value) > kSharedMost) return note(cudaErrorInvalidValue);
  shared_limits[kernel] = value;
  return cudaSuccess;
}

cudaError_t occupancy(int* blocks, const void*, int threads, size_t shared) {
  if (threads < 1) return note(cudaErrorInvalidValue);
  const int by_threads = 2048 / ((threads + 31) / 32 * 32);
  const int by_shared = static_cast<int>((size_t{228} << 10) / (shared + 1024));
  *blocks = std::min({32, by_threads, by_shared});
  return cudaSuccess;
}

}  // namespace emu

using namespace emu;

// ---- errors and the device

#define EMU_ERRORS(X)                                                                             \
  X(cudaSuccess, "no error")                                                                      \
  X(cudaErrorInvalidValue, "invalid argument")                                                    \
  X(cudaErrorMemoryAllocation, "out of memory")                                                   \
  X(cudaErrorInvalidConfiguration, "invalid configuration argument")                              \
  X(cudaErrorInvalidSymbol, "invalid device symbol")                                              \
  X(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy")                         \
  X(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version")  \
  X(cudaErrorNoDevice, "no CUDA-capable device is detected")                                      \
  X(cudaErrorInvalidDevice, "invalid device ordinal")                                             \
  X(cudaErrorInvalidResourceHandle, "invalid resource handle")                                    \
  X(cudaErrorNotReady, "device not ready")                                                        \
  X(cudaErrorIllegalAddress, "an illegal memory access was encountered")                          \
  X(cudaErrorLaunchOutOfResources, "too many resources requested for launch")                     \
  X(cudaErrorLaunchFailure, "unspecified launch failure")                                         \
  X(cudaErrorCooperativeLaunchTooLarge, "too many blocks in cooperative launch")                  \
  X(cudaErrorNotSupported, "operation not supported")                                             \
  X(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing")        \
  X(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture") \
  X(cudaErrorStreamCaptureUnmatched, "capture was not initiated in this stream")                  \
  X(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work")                         \
  X(cudaErrorStreamCaptureImplicit,                                                               \
    "operation would make the legacy stream depend on a capturing blocking stream")               \
  X(cudaErrorUnknown, "unknown error")

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define X(name, text) \
  case name: return #name;
    EMU_ERRORS(X)
#undef X
  }
  return "unrecognized error code";
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define X(name, text) \
  case name: return text;
    EMU_ERRORS(X)
#undef X
  }
  return "unrecognized error code";
}
cudaError_t cudaGetLastError() {
  const cudaError_t error = sticky ? sticky : last;
  last = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError() { return sticky ? sticky : last; }

static int number_from(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = number_from("PYLEARN_CUDA_DEVICES", 1);
  return *count > 0 ? cudaSuccess : note(cudaErrorNoDevice);
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : note(cudaErrorInvalidDevice); }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  if (device != 0) return note(cudaErrorInvalidDevice);
  *p = {};
  std::snprintf(p->name, sizeof p->name, "emulated CUDA device");
  p->totalGlobalMem = memory_size();
  p->sharedMemPerBlock = kSharedPlain;
  p->sharedMemPerBlockOptin = kSharedMost;
  p->sharedMemPerMultiprocessor = size_t{228} << 10;
  p->major = 9;
  p->multiProcessorCount = number_from("PYLEARN_CUDA_MULTIPROCESSORS", 4);
  p->warpSize = 32;
  p->maxThreadsPerBlock = 1024;
  p->maxThreadsPerMultiProcessor = 2048;
  p->regsPerBlock = 65536;
  p->l2CacheSize = 60 << 20;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp p;
  if (const cudaError_t e = cudaGetDeviceProperties(&p, device)) return e;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: *value = p.maxThreadsPerBlock; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = static_cast<int>(p.sharedMemPerBlock); break;
    case cudaDevAttrWarpSize: *value = p.warpSize; break;
    case cudaDevAttrClockRate: *value = 1000000; break;
    case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; break;
    case cudaDevAttrL2CacheSize: *value = p.l2CacheSize; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = p.maxThreadsPerMultiProcessor; break;
    case cudaDevAttrComputeCapabilityMajor: *value = p.major; break;
    case cudaDevAttrComputeCapabilityMinor: *value = p.minor; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = static_cast<int>(p.sharedMemPerMultiprocessor);
      break;
    case cudaDevAttrCooperativeLaunch: *value = 1; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = static_cast<int>(p.sharedMemPerBlockOptin); break;
    case cudaDevAttrMemoryPoolsSupported: *value = 1; break;
    default: return note(cudaErrorInvalidValue);
  }
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaDeviceReset() { return cudaDeviceSynchronize(); }
cudaError_t cudaDeviceSynchronize() {
  std::lock_guard lock(runtime_lock());
  if (const cudaError_t e = refuse_capture(nullptr)) return e;
  drain_all();
  return note(sticky);
}

// ---- copies

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t s) {
  std::lock_guard lock(runtime_lock());
  if (bytes == 0) return cudaSuccess;
  const Piece target = piece_of(to), source = piece_of(from);
  if (!direction_fits(target.kind, source.kind, kind) || target.left < bytes || source.left < bytes)
    return note(cudaErrorInvalidValue);
  const bool captured = !is_null(s) && known(s) && s->capture;
  if (source.kind == Kind::pageable && !captured) {  // read before the call returns
    const auto* p = static_cast<const char*>(from);
    return put(s,
               [to, copy = std::vector<char>(p, p + bytes)] { std::memcpy(to, copy.data(), copy.size()); });
  }
  if (const cudaError_t e = put(s, [=] { std::memmove(to, from, bytes); })) return e;
  if (target.kind == Kind::pageable && !captured && !is_null(s)) drain(s);  // written before the call returns
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t s) {
  std::lock_guard lock(runtime_lock());
  if (bytes == 0) return cudaSuccess;
  const Piece target = piece_of(p);
  if (target.kind == Kind::pageable || target.left < bytes) return note(cudaErrorInvalidValue);
  return put(s, [=] { std::memset(p, value, bytes); });
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}
cudaError_t cudaMemset(void* p, int value, size_t bytes) { return cudaMemsetAsync(p, value, bytes, nullptr); }

cudaError_t cudaFreeAsync(void* p, cudaStream_t s) {
  std::lock_guard lock(runtime_lock());
  if (!p) return cudaSuccess;
  if (piece_of(p).kind != Kind::device) return note(cudaErrorInvalidValue);
  return put(s, [p] { device_free(p); });
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  *pool = nullptr;
  return device == 0 ? cudaSuccess : note(cudaErrorInvalidDevice);
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return cudaSuccess; }

// ---- streams

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  std::lock_guard lock(runtime_lock());
  *stream = new CUstream_st;
  streams.insert(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, 0); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}
cudaError_t cudaStreamDestroy(cudaStream_t s) {
  std::lock_guard lock(runtime_lock());
  if (is_null(s) || !known(s)) return note(cudaErrorInvalidResourceHandle);
  drain(s);
  streams.erase(s);
  delete s;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t s) {
  std::lock_guard lock(runtime_lock());
  if (const cudaError_t e = refuse_capture(s)) return e;
  if (is_null(s))
    drain_all();
  else
    drain(s);
  return note(sticky);
}
cudaError_t cudaStreamQuery(cudaStream_t s) {
  std::lock_guard lock(runtime_lock());
  if (const cudaError_t e = refuse_capture(s)) return e;
  if (is_null(s) || s->todo.empty()) return cudaSuccess;
  drain(s);  // ready the next time
  return cudaErrorNotReady;
}
cudaError_t cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t f, void* data) {
  std::lock_guard lock(runtime_lock());
  return put(s, [=] { f(data); });
}

// ---- events

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  std::lock_guard lock(runtime_lock());
  if (event->stream) drain(event->stream);
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t s) {
  std::lock_guard lock(runtime_lock());
  if (!known(s)) return note(cudaErrorInvalidResourceHandle);
  if (!is_null(s) && s->capture) {
    event->capture = s->capture;
    event->captured = s;
    return cudaSuccess;
  }
  event->capture = nullptr;
  event->recorded = true;
  event->stream = is_null(s) ? nullptr : s;
  const uint64_t number = ++event->recordings;
  return put(s, [event, number] {
    event->time = std::chrono::steady_clock::now();
    event->done = number;
    if (event->done == event->recordings) event->stream = nullptr;
  });
}
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t event, unsigned) {
  std::lock_guard lock(runtime_lock());
  if (!known(s)) return note(cudaErrorInvalidResourceHandle);
  if (event->capture) {  // the stream joins the capture, or takes another one's work in
    if (is_null(s)) return note(cudaErrorStreamCaptureImplicit);
    if (s->capture && s->capture != event->capture) return note(cudaErrorInvalidValue);
    if (s == event->capture->origin) event->captured->unjoined = false;
    if (!s->capture) {
      s->capture = event->capture;
      s->capture->streams.insert(s);
      s->unjoined = true;
    }
    return cudaSuccess;
  }
  const uint64_t number = event->recordings;
  return put(s, [event, number] {
    while (event->done < number && event->stream && !event->stream->todo.empty() && !event->stream->running)
      drain(event->stream);
  });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  std::lock_guard lock(runtime_lock());
  if (event->capture) return note(cudaErrorStreamCaptureUnsupported);
  if (event->stream) drain(event->stream);
  return note(sticky);
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  std::lock_guard lock(runtime_lock());
  if (event->done == event->recordings) return cudaSuccess;
  drain(event->stream);
  return cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t end) {
  if (!start->recorded || !end->recorded) return note(cudaErrorInvalidResourceHandle);
  if (start->done != start->recordings || end->done != end->recordings) return note(cudaErrorNotReady);
  *ms = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return cudaSuccess;
}

// ---- graphs

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
  std::lock_guard lock(runtime_lock());
  if (is_null(s)) return note(cudaErrorStreamCaptureUnsupported);
  if (!known(s)) return note(cudaErrorInvalidResourceHandle);
  if (s->capture) return note(cudaErrorStreamCaptureUnsupported);
  s->capture = new CUgraph_st;
  s->capture->origin = s;
  s->capture->streams.insert(s);
  ++captures;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* graph) {
  std::lock_guard lock(runtime_lock());
  *graph = nullptr;
  if (is_null(s) || !known(s) || !s->capture) return note(cudaErrorInvalidValue);
  if (s->capture->origin != s) return note(cudaErrorStreamCaptureUnmatched);
  CUgraph_st* const taken = s->capture;
  bool joined = true;
  for (CUstream_st* k : taken->streams) {
    joined &= k == s || !k->unjoined;
    k->capture = nullptr;
    k->unjoined = false;
  }
  --captures;
  if (taken->invalid || !joined) {
    const cudaError_t error =
        taken->invalid ? cudaErrorStreamCaptureInvalidated : cudaErrorStreamCaptureUnjoined;
    delete taken;
    return note(error);
  }
  *graph = taken;
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus* status) {
  std::lock_guard lock(runtime_lock());
  if (!known(s)) return note(cudaErrorInvalidResourceHandle);
  *status = is_null(s) || !s->capture ? cudaStreamCaptureStatusNone
            : s->capture->invalid     ? cudaStreamCaptureStatusInvalidated
                                      : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  std::lock_guard lock(runtime_lock());
  *exec = new CUgraphExec_st{graph->nodes};
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s) {
  std::lock_guard lock(runtime_lock());
  return put(s, [nodes = exec->nodes] {
    for (const auto& node : nodes) node();
  });
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t*, size_t* count) {
  *count = graph->nodes.size();
  return cudaSuccess;
}
