// Between the files of the emulated runtime: the error of the thread, device memory and its guard.
#pragma once
#include <mutex>

#include "runtime.h"

namespace emu {

inline constexpr size_t kSharedPlain = size_t{48} << 10, kSharedMost = size_t{227} << 10;

// One caller at a time; a host function on a stream may call again.
std::recursive_mutex& runtime_lock();

// Notes the error for cudaGetLastError() and gives it back.
cudaError_t note(cudaError_t error);

// While one exists, device memory may be touched.
class Access {
 public:
  Access();
  ~Access();
  Access(const Access&) = delete;
};

enum class Kind { pageable, pinned, device };
// Where p lies, and how many bytes from there on belong to the same piece.
struct Piece {
  Kind kind;
  size_t left;
};
Piece piece_of(const void* p);
void device_free(void* p);
// Looks for bytes written beyond the pieces of device memory; dies naming the piece.
void check_margins();
size_t memory_size();

}  // namespace emu
