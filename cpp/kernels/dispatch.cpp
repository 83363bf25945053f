// Which kernel table this process uses: the best ISA the processor has, or the one PYLEARN_ISA names.
// Compiled once, with the flags of ordinary code. CMakeLists.txt writes isas.h from PYLEARN_ISAS.
#include <cstdlib>
#include <cstring>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "core/error.h"
#include "isas.h"
#include "kernels/table.h"

namespace pl {

#define X(name)                                \
  namespace name {                             \
  extern const LinalgKernels linalg;           \
  extern const DecompKernels decomp;           \
  extern const Bf16Kernels bf16;               \
  extern const ElementwiseKernels elementwise; \
  extern const ReduceKernels reduce;           \
  extern const LossKernels loss;               \
  extern const NormKernels norm;               \
  extern const AttentionKernels attention;     \
  extern const EmbedKernels embed;             \
  extern const IndexKernels index;             \
  extern const SortKernels sort;               \
  extern const PoolKernels pool;               \
  extern const ResizeKernels resize;           \
  extern const RandomKernels random;           \
  extern const OptimKernels optim;             \
  extern const PointLossKernels pointloss;     \
  extern const ConvKernels conv;               \
  extern const RnnKernels rnn;                 \
  extern const CeilingKernels ceiling;         \
  }
PL_FOR_EACH_ISA(X)
#undef X
#if defined(PYLEARN_V4_BF16)
namespace v4bf16 {  // v4 with AVX512-BF16, for this family only
extern const Bf16Kernels bf16;
}
namespace v4amx {  // v4 with AMX, likewise
extern const Bf16Kernels bf16;
}
#endif

namespace {

#if defined(__x86_64__)
// __builtin_cpu_supports also asks whether the operating system saves the wide registers. The features it
// does not know on every compiler we support are read from cpuid.
bool has_v3() {
  __builtin_cpu_init();
  unsigned a, b, c, d;
  const bool f16c_movbe = __get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 29)) && (c & (1u << 22));
  const bool lzcnt = __get_cpuid(0x80000001u, &a, &b, &c, &d) && (c & (1u << 5));
  return f16c_movbe && lzcnt && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

bool has_v4() {
  return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
#endif

bool runs_here(const char* isa) {
#if defined(__x86_64__)
  if (!std::strcmp(isa, "v4")) return has_v4();
  if (!std::strcmp(isa, "v3")) return has_v3();
#endif
  return !std::strcmp(isa, "baseline") || !std::strcmp(isa, "neon");
}

#if defined(PYLEARN_V4_BF16)
bool has_bf16_dots() {
  unsigned a, b, c, d;
  return has_v4() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 5));
}

// Linux saves the tile registers of processes only that have asked for it.
bool has_amx() {
  constexpr long request = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  constexpr unsigned bf16_and_tile = 1u << 22 | 1u << 24;
  unsigned a, b, c, d;
  return has_v4() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & bf16_and_tile) == bf16_and_tile &&
         syscall(SYS_arch_prctl, request, tile_data) == 0;
}
#endif

// The family as an ISA has it, or the better one that this processor runs too.
const Bf16Kernels& bf16_of(const Bf16Kernels& own) {
#if defined(PYLEARN_V4_BF16)
  if (&own == &v4::bf16) return has_amx() ? v4amx::bf16 : has_bf16_dots() ? v4bf16::bf16 : own;
#endif
  return own;
}

// In the order of PYLEARN_ISAS, as compiled_isas().
const KernelTable& table_of(int i) {
#define X(name)                      \
  {.isa = #name,                     \
   .linalg = name::linalg,           \
   .decomp = name::decomp,           \
   .bf16 = bf16_of(name::bf16),      \
   .elementwise = name::elementwise, \
   .reduce = name::reduce,           \
   .loss = name::loss,               \
   .norm = name::norm,               \
   .attention = name::attention,     \
   .embed = name::embed,             \
   .index = name::index,             \
   .sort = name::sort,               \
   .pool = name::pool,               \
   .resize = name::resize,           \
   .random = name::random,           \
   .optim = name::optim,             \
   .pointloss = name::pointloss,     \
   .conv = name::conv,               \
   .rnn = name::rnn,                 \
   .ceiling = name::ceiling},
  static const KernelTable tables[] = {PL_FOR_EACH_ISA(X)};
#undef X
  return tables[i];
}

// A KernelTable is a name and then function pointers; clang lets a forgotten field pass as null.
void check_filled(const KernelTable& table) {
  static_assert(sizeof(KernelTable) % sizeof(void*) == 0);
  constexpr size_t words = sizeof(KernelTable) / sizeof(void*);
  void* fields[words];
  std::memcpy(fields, &table, sizeof(table));
  for (size_t i = 0; i < words; ++i) {
    if (!fields[i]) {
      throw ValueError(std::string("[pylearn] the kernel table of ISA ") + table.isa +
                       " has no function in field " + std::to_string(i) + " of KernelTable");
    }
  }
}

const KernelTable& choose() {
  int n;
  const IsaInfo* list = compiled_isas(&n);
  const char* wanted = std::getenv("PYLEARN_ISA");
  if (wanted && !*wanted) wanted = nullptr;
  std::string usable;
  bool compiled = false;
  for (int i = n - 1; i >= 0; --i) {
    const bool is_wanted = !wanted || !std::strcmp(wanted, list[i].name);
    compiled |= is_wanted;
    if (!list[i].usable) continue;
    if (is_wanted) {
      check_filled(table_of(i));
      return table_of(i);
    }
    usable = list[i].name + (usable.empty() ? usable : ", " + usable);
  }
  if (!wanted) throw ValueError("[pylearn] this build holds no kernels that this processor can run");
  throw ValueError(std::string("[pylearn] PYLEARN_ISA=") + wanted +
                   (compiled ? ": this processor cannot run it" : " is not an ISA of this build") +
                   "; choose from " + usable);
}

}  // namespace

const KernelTable& cpu_kernels() {
  static const KernelTable& table = choose();
  return table;
}

const IsaInfo* compiled_isas(int* count) {
#define X(name) {#name, runs_here(#name)},
  static const IsaInfo list[] = {PL_FOR_EACH_ISA(X)};
#undef X
  *count = static_cast<int>(sizeof(list) / sizeof(list[0]));
  return list;
}

}  // namespace pl
