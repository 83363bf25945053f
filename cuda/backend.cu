// The one symbol of libpylearn_cuda.so: memory, order, graphs, and the kernel table.
#include <cstdio>
#include <cstring>

#include "kernels/backend.h"
#include "launch.h"

namespace pl::cuda {

extern const LinalgKernels linalg;
extern const DecompKernels decomp;
extern const Bf16Kernels bf16;
extern const ElementwiseKernels elementwise;
extern const ReduceKernels reduce;
extern const LossKernels loss;
extern const NormKernels norm;
extern const AttentionKernels attention;
extern const EmbedKernels embed;
extern const IndexKernels index;
extern const SortKernels sort;
extern const PoolKernels pool;
extern const ResizeKernels resize;
extern const RandomKernels random;
extern const OptimKernels optim;
extern const PointLossKernels pointloss;
extern const ConvKernels conv;
extern const RnnKernels rnn;
extern const CeilingKernels ceiling;

namespace {

thread_local cudaError_t first_error = cudaSuccess;
cudaStream_t the_stream = nullptr;
void* the_scratch = nullptr;
unsigned* the_counter = nullptr;
int the_multiprocessors = 1;
KernelTable the_table;

// The code, and nothing of it left behind for the next call.
int code_of(cudaError_t error) {
  if (error != cudaSuccess) cudaGetLastError();
  return static_cast<int>(error);
}

cudaStream_t queue(Stream stream) { return static_cast<cudaStream_t>(stream.handle); }

const char* error_text(int code) {
  const auto error = static_cast<cudaError_t>(code);
  if (error == cudaErrorInsufficientDriver) return "there is no NVIDIA driver, or it is older than CUDA 13";
  if (error == cudaErrorNoDevice) return "the driver finds no NVIDIA GPU";
  return cudaGetErrorString(error);
}

int open(DeviceInfo* info, DeviceRuntime* runtime);

int error() {
  const cudaError_t e = first_error;
  first_error = cudaSuccess;
  return code_of(e);
}

int allocate(void** p, size_t bytes) { return code_of(cudaMalloc(p, bytes)); }
int free(void* p) { return code_of(cudaFree(p)); }
int share(void* p, size_t bytes) { return code_of(cudaHostRegister(p, bytes, cudaHostRegisterMapped)); }

// Up to 64 KB the driver takes pageable bytes along with the command; above, the copy is waited for.
constexpr size_t kTakenAlong = size_t{64} << 10;
int to_device(void* to, const void* from, size_t bytes, Stream stream) {
  cudaError_t e = cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, queue(stream));
  if (e == cudaSuccess && bytes > kTakenAlong) e = cudaStreamSynchronize(queue(stream));
  return code_of(e);
}
int to_host(void* to, const void* from, size_t bytes, Stream stream) {
  cudaError_t e = cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, queue(stream));
  if (e == cudaSuccess) e = cudaStreamSynchronize(queue(stream));
  return code_of(e);
}
int copy(void* to, const void* from, size_t bytes, Stream stream) {
  return code_of(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, queue(stream)));
}
int synchronize(Stream stream) { return code_of(cudaStreamSynchronize(queue(stream))); }

int begin_graph(Stream stream) {
  return code_of(cudaStreamBeginCapture(queue(stream), cudaStreamCaptureModeThreadLocal));
}
int end_graph(Stream stream, void** out) {
  cudaGraph_t graph = nullptr;
  cudaError_t e = cudaStreamEndCapture(queue(stream), &graph);
  if (e != cudaSuccess) return code_of(e);
  cudaGraphExec_t runnable = nullptr;
  e = cudaGraphInstantiate(&runnable, graph, 0);
  cudaGraphDestroy(graph);
  *out = runnable;
  return code_of(e);
}
int run_graph(void* graph, Stream stream) {
  return code_of(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), queue(stream)));
}
int free_graph(void* graph) { return code_of(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph))); }

int open(DeviceInfo* info, DeviceRuntime* runtime) {
  int devices = 0;
  if (cudaError_t e = cudaGetDeviceCount(&devices)) return code_of(e);
  if (devices == 0) return static_cast<int>(cudaErrorNoDevice);
  cudaDeviceProp p;
  if (cudaError_t e = cudaGetDeviceProperties(&p, 0)) return code_of(e);
  if (cudaError_t e = cudaStreamCreateWithFlags(&the_stream, cudaStreamNonBlocking)) return code_of(e);
  if (cudaError_t e = cudaMalloc(&the_scratch, kScratch)) return code_of(e);
  void* counter = nullptr;
  if (cudaError_t e = cudaMalloc(&counter, 256)) return code_of(e);
  if (cudaError_t e = cudaMemset(counter, 0, 256)) return code_of(e);
  the_counter = static_cast<unsigned*>(counter);
  the_multiprocessors = p.multiProcessorCount;
  the_table = {.isa = "cuda",
               .linalg = linalg,
               .decomp = decomp,
               .bf16 = bf16,
               .elementwise = elementwise,
               .reduce = reduce,
               .loss = loss,
               .norm = norm,
               .attention = attention,
               .embed = embed,
               .index = index,
               .sort = sort,
               .pool = pool,
               .resize = resize,
               .random = random,
               .optim = optim,
               .pointloss = pointloss,
               .conv = conv,
               .rnn = rnn,
               .ceiling = ceiling};
  *info = {};
  std::snprintf(info->name, sizeof info->name, "%s", p.name);
  info->major = p.major;
  info->minor = p.minor;
  info->multiprocessors = p.multiProcessorCount;
  info->memory = p.totalGlobalMem;
  cudaDriverGetVersion(&info->driver);
  cudaRuntimeGetVersion(&info->runtime);
  *runtime = {
#if defined(PL_EMU)
      .emulated = true,
#else
      .emulated = false,
#endif
      .stream = {the_stream},
      .error = error,
      .error_text = error_text,
      .allocate = allocate,
      .free = free,
      .share = share,
      .to_device = to_device,
      .to_host = to_host,
      .copy = copy,
      .synchronize = synchronize,
      .begin_graph = begin_graph,
      .end_graph = end_graph,
      .run_graph = run_graph,
      .free_graph = free_graph};
  return 0;
}

}  // namespace

void note_error(cudaError_t e) {
  if (e == cudaSuccess) return;
  cudaGetLastError();
  if (first_error == cudaSuccess) first_error = e;
}

void* scratch(Stream) { return the_scratch; }
unsigned* counter(Stream) { return the_counter; }
int multiprocessors() { return the_multiprocessors; }

}  // namespace pl::cuda

extern "C" __attribute__((visibility("default"))) const pl::Backend* pylearn_backend() {
  static const pl::Backend backend = {.abi = pl::kBackendAbi,
                                      .table_size = sizeof(pl::KernelTable),
                                      .build =
#if defined(PL_EMU)
                                          "emulated",
#else
                                          "nvcc " PL_CUDA_BUILD,
#endif
                                      .kernels = &pl::cuda::the_table,
                                      .open = pl::cuda::open,
                                      .error_text = pl::cuda::error_text};
  return &backend;
}
