// What the programs of this folder share: device arrays, and the few functions of cuda/backend.cu that launch.h needs.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "launch.h"

inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::printf("%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}
#define CHECK(call) check(call, #call)

namespace pl::cuda {
inline cudaError_t launch_error = cudaSuccess;
void note_error(cudaError_t error) {
  if (launch_error == cudaSuccess) launch_error = error;
}
int multiprocessors() { return 3; }
}  // namespace pl::cuda

template <class T>
class Array {
 public:
  explicit Array(size_t n) : n_(n) { CHECK(cudaMalloc(&p_, n * sizeof(T))); }
  explicit Array(const std::vector<T>& v) : Array(v.size()) {
    CHECK(cudaMemcpy(p_, v.data(), n_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~Array() { cudaFree(p_); }
  Array(const Array&) = delete;
  T* get() const { return p_; }
  std::vector<T> host() const {
    std::vector<T> v(n_);
    CHECK(cudaMemcpy(v.data(), p_, n_ * sizeof(T), cudaMemcpyDeviceToHost));
    return v;
  }

 private:
  size_t n_;
  T* p_ = nullptr;
};

// What went wrong with the launches so far.
inline cudaError_t launches() {
  const cudaError_t error = pl::cuda::launch_error;
  pl::cuda::launch_error = cudaSuccess;
  return error ? error : cudaDeviceSynchronize();
}
