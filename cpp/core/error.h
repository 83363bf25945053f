// The one error module: what is raised, and as which Python exception. Messages speak in the caller's terms:
// "[op] what was given, what was expected, the fix".
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace pl {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct ValueError : Error {
  using Error::Error;
};  // a value or shape that does not fit
struct LinAlgError : ValueError {
  using ValueError::ValueError;
};  // a matrix that has no such decomposition: numpy.linalg.LinAlgError
struct TypeError : Error {
  using Error::Error;
};  // a dtype or kind of object that does not fit
struct IndexError : Error {
  using Error::Error;
};  // an id, label or index out of range
struct MemoryError : Error {
  using Error::Error;
};  // an array that cannot be had
struct FloatingPointError : Error {
  using Error::Error;
};  // a result that must be finite and is not
struct RuntimeError : Error {
  using Error::Error;
};  // right arguments at the wrong time
// Ctrl-C: Python's exception is already set.
struct Interrupted : std::exception {};

template <class E, class... Parts>
[[noreturn]] void raise(const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw E(message.str());
}

}  // namespace pl
