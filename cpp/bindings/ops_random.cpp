// Random draws.
#include "bindings/generator.h"
#include "bindings/module.h"
#include "bindings/op.h"
#include "ops/random.h"

namespace pl {

// The generator of a draw, which always gives a Tensor: while a step is recorded, it is one of the step's launches.
struct DrawFrom : GeneratorState {};
template <>
struct From<DrawFrom> {
  static DrawFrom get(Call& c, const char* what, py::handle h) {
    c.any_tensor = true;
    return {From<GeneratorState>::get(c, what, h)};
  }
};

namespace {

Tensor dropout(const Tensor& x, double rate, const GeneratorState& g) {
  return ops::dropout(x, rate, g.state);
}

Tensor random_draw(const Shape& shape, int64_t kind, double low, double high, DType dtype,
                   const DrawFrom& g) {
  return ops::random_fill(shape, static_cast<Distribution>(kind), low, high, 0, 0, dtype, g.state);
}
Tensor random_integers(const Shape& shape, int64_t low, int64_t high, const DrawFrom& g) {
  return ops::random_fill(shape, Distribution::bits, 0, 0, low, high, DType::int64, g.state);
}

}  // namespace

void bind_random(py::module_& m) {
  def_op(m, "dropout", pl::dropout, {"x", "rate", {"generator", None}},
         "Each element is 0 with probability rate, else divided by 1 - rate.");

  def_op(m, "random_draw", random_draw, {"shape", "kind", "low", "high", "dtype", {"generator", None}},
         "Kind 0 uniform, 1 normal, 2 truncated normal; see pylearn.random.");
  def_op(m, "random_integers", random_integers, {"shape", "low", "high", {"generator", None}},
         "Integers in [low, high); see pylearn.random.");
  m.def(
      "make_generator",
      [](py::handle seed) { return ops::make_generator(Call("Generator").integer("seed", seed)); },
      py::arg("seed"));
  m.def("default_generator", &ops::default_generator, "The state that dropout and initializers draw from.");
  m.def(
      "random_seed",
      [](py::handle seed) {
        DeviceScope scope(Device::cpu);
        Tensor g = ops::default_generator();
        auto* words = static_cast<int64_t*>(g.write());
        words[0] = Call("seed").integer("seed", seed);
        words[1] = 0;
      },
      py::arg("seed"), "Restart the default generator.");
}

}  // namespace pl
