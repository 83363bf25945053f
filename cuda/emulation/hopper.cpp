#include "hopper.h"

#include <bit>
#include <cstring>
#include <deque>
#include <set>

namespace emu::hopper {
namespace {

// ---- mbarriers: 64 bits of shared memory

struct Mbarrier {
  uint16_t count, pending;
  int32_t bytes : 31;
  uint32_t phase : 1;
};
static_assert(sizeof(Mbarrier) == 8);

struct Mbarriers : Unit {
  std::set<const void*> known;  // that were initialised
};

// The block of the cluster in whose shared memory p lies.
Block& block_of(const void* p) {
  for (Block* b : g.block->cluster->blocks)
    if (p >= b->shared && p < b->shared + g.launch->shared) return *b;
  die("%p is not in the shared memory of the cluster", p);
}

Mbarrier load(const void* bar) {
  if (reinterpret_cast<uintptr_t>(bar) % 8) die("an mbarrier at an address that is no multiple of 8");
  if (!unit<Mbarriers>(block_of(bar)).known.count(bar)) die("an mbarrier is used that was not initialised");
  Mbarrier m;
  std::memcpy(&m, bar, sizeof m);
  return m;
}
void store(void* bar, Mbarrier m) {
  if (m.pending == 0 && m.bytes == 0) {
    m.phase ^= 1;
    m.pending = m.count;
  }
  std::memcpy(bar, &m, sizeof m);
  g.progress = true;
}

// ---- swizzles: which 16 bytes of a row of 128 (64, 32) depends on the row

uint32_t swizzled(uint32_t address, unsigned mode) {
  switch (mode) {
    case CU_TENSOR_MAP_SWIZZLE_128B: return address ^ (address >> 7 & 7) << 4;
    case CU_TENSOR_MAP_SWIZZLE_64B: return address ^ (address >> 7 & 3) << 4;
    case CU_TENSOR_MAP_SWIZZLE_32B: return address ^ (address >> 7 & 1) << 4;
    default: return address;
  }
}

uint32_t offset_in(const Block& b, const void* p, size_t bytes) {
  const auto* q = static_cast<const unsigned char*>(p);
  if (q < b.shared || q + bytes > b.shared + g.launch->shared)
    die("%zu bytes at %p are not all in the shared memory of the block", bytes, p);
  return static_cast<uint32_t>(q - b.shared);
}

// ---- TMA

size_t box_bytes(const CUtensorMap& m) {
  size_t n = m.itemsize;
  for (int d = 0; d < m.rank; ++d) n *= m.box[d];
  return n;
}

void check(const CUtensorMap& m, const void* shared, int rank) {
  if (m.made != CUtensorMap::kMade) die("TMA with a tensor map that was not encoded");
  if (m.rank != rank) die("TMA with %d coordinates for a tensor of %d", rank, m.rank);
  const uint32_t align = m.swizzle == CU_TENSOR_MAP_SWIZZLE_128B  ? 1024
                         : m.swizzle == CU_TENSOR_MAP_SWIZZLE_64B ? 512
                         : m.swizzle                              ? 256
                                                                  : 128;
  if (shared_address(shared) % align) die("TMA of a box that is not on %u bytes of shared memory", align);
  offset_in(*g.block, shared, box_bytes(m));
}

// f(global address or null where the tensor ends, byte in the box) for every element of the box.
template <class F>
void each_element(const CUtensorMap& m, const int* at, F&& f) {
  const size_t n = box_bytes(m) / m.itemsize;
  for (size_t i = 0; i < n; ++i) {
    size_t rest = i;
    unsigned char* p = m.base;
    for (int d = 0; d < m.rank; ++d) {
      const int64_t x = int64_t{at[d]} + static_cast<int64_t>(rest % m.box[d]);
      rest /= m.box[d];
      if (x < 0 || static_cast<uint64_t>(x) >= m.size[d])
        p = nullptr;
      else if (p)
        p += static_cast<size_t>(x) * m.pitch[d];
    }
    f(p, static_cast<uint32_t>(i * m.itemsize));
  }
}

void complete_bytes(void* bar, size_t bytes) {
  Mbarrier m;
  std::memcpy(&m, bar, sizeof m);
  m.bytes = m.bytes - static_cast<int32_t>(bytes);
  store(bar, m);
}

// Stores that a thread started, in its groups; done when it waits for them.
struct Stores : Unit {
  struct Queue {
    std::vector<std::function<void()>> open;
    std::deque<std::vector<std::function<void()>>> groups;
  };
  std::vector<Queue> queues = std::vector<Queue>(1024);
  Queue& mine() { return queues[g.thread->index]; }
  void thread_returns(unsigned i) override {
    if (!queues[i].open.empty() || !queues[i].groups.empty())
      die("a thread returns with a TMA store it has not waited for");
  }
};

// ---- wgmma

struct Product {
  float* d[128] = {};
  int n;
  uint64_t a, b;
  bool tf32, accumulate;
  unsigned issued = 0;
};

struct Warpgroup {
  std::deque<Product> products;  // that are not computed yet
  size_t computed = 0;
  struct Thread {
    size_t issued = 0;
    std::deque<size_t> groups;  // how many were issued at each commit
    bool open = false;
  };
  std::vector<Thread> threads = std::vector<Thread>(128);
};

struct Warpgroups : Unit {
  Warpgroup groups[8];
  Warpgroup& mine() { return groups[g.thread->index / 128]; }
  Warpgroup::Thread& me() { return mine().threads[g.thread->index % 128]; }
  void thread_returns(unsigned i) override {
    const auto& t = groups[i / 128].threads[i % 128];
    if (t.open || !t.groups.empty()) die("a thread returns with a wgmma it has not waited for");
  }
};

// Element (r, k) of an operand whose rows are contiguous along k.
float element(uint64_t descriptor, int r, int k, bool tf32) {
  constexpr unsigned kModes[] = {CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                 CU_TENSOR_MAP_SWIZZLE_64B, CU_TENSOR_MAP_SWIZZLE_32B};
  const unsigned mode = kModes[descriptor >> 62], size = tf32 ? 4 : 2;
  const auto field = [&](int shift) { return static_cast<uint32_t>(descriptor >> shift & 0x3FFF) << 4; };
  const uint32_t start = field(0), leading = field(16), stride = field(32);
  const uint32_t row = static_cast<uint32_t>(r), byte = static_cast<uint32_t>(k) * size;
  if (descriptor >> 49 & 7)
    die("wgmma: a base offset in the matrix descriptor, which this model does not know");
  uint32_t at;
  if (mode == CU_TENSOR_MAP_SWIZZLE_NONE) {
    at = start + row / 8 * stride + byte / 16 * leading + row % 8 * 16 + byte % 16;
  } else {
    const uint32_t width = mode == CU_TENSOR_MAP_SWIZZLE_128B  ? 128
                           : mode == CU_TENSOR_MAP_SWIZZLE_64B ? 64
                                                               : 32;
    at = swizzled(start + row / 8 * stride + row % 8 * width + byte, mode);
  }
  if (at + size > g.launch->shared)
    die("wgmma reads byte %u of %zu of shared memory: a wrong matrix descriptor", at, g.launch->shared);
  if (tf32) {
    uint32_t bits;
    std::memcpy(&bits, g.block->shared + at, 4);
    return std::bit_cast<float>(bits & 0xFFFFE000u);
  }
  uint16_t bits;
  std::memcpy(&bits, g.block->shared + at, 2);
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

void compute(const Product& p) {
  const int depth = p.tf32 ? 8 : 16;
  float a[64][16], b[256][16];
  for (int r = 0; r < 64; ++r)
    for (int k = 0; k < depth; ++k) a[r][k] = element(p.a, r, k, p.tf32);
  for (int r = 0; r < p.n; ++r)
    for (int k = 0; k < depth; ++k) b[r][k] = element(p.b, r, k, p.tf32);
  for (int t = 0; t < 128; ++t)
    for (int i = 0; i < p.n / 2; ++i) {  // where thread t keeps D
      const int r = t / 32 * 16 + t % 32 / 4 + i % 4 / 2 * 8, c = i / 4 * 8 + t % 4 * 2 + i % 2;
      double sum = p.accumulate ? double{p.d[t][i]} : 0.0;
      for (int k = 0; k < depth; ++k) sum += double{a[r][k]} * double{b[c][k]};
      p.d[t][i] = static_cast<float>(sum);
    }
}

// Computes the first product if all 128 threads have issued it.
bool compute_next(Warpgroup& w) {
  if (w.products.empty() || w.products.front().issued < 128) return false;
  compute(w.products.front());
  w.products.pop_front();
  w.computed++;
  g.progress = true;
  return true;
}

struct ClusterWaits : Unit {
  std::vector<int64_t> phase = std::vector<int64_t>(1024, -1);  // in which the thread has arrived
};

}  // namespace

uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(static_cast<const unsigned char*>(p) - g.block->shared);
}

void mbarrier_init(uint64_t* bar, uint32_t count) {
  if (count == 0 || count >= 1u << 16) die("an mbarrier for %u arrivals", count);
  offset_in(*g.block, bar, sizeof *bar);
  unit<Mbarriers>().known.insert(bar);
  Mbarrier m = {};
  m.count = m.pending = static_cast<uint16_t>(count);
  store(bar, m);
}
void mbarrier_arrive(uint64_t* bar) {
  Mbarrier m = load(bar);
  if (m.pending == 0) die("more arrivals at an mbarrier than it was initialised for (%u)", m.count);
  m.pending--;
  store(bar, m);
}
void mbarrier_expect(uint64_t* bar, uint32_t bytes) {
  Mbarrier m = load(bar);
  if (m.pending == 0) die("more arrivals at an mbarrier than it was initialised for (%u)", m.count);
  m.bytes = m.bytes + static_cast<int32_t>(bytes);
  m.pending--;
  store(bar, m);
}
bool mbarrier_passed(const uint64_t* bar, uint32_t parity) {
  if (parity > 1) die("an mbarrier's parity is %u: 0 or 1", parity);
  return load(bar).phase != parity;
}
void mbarrier_wait(const uint64_t* bar, uint32_t parity, Where where) {
  while (!mbarrier_passed(bar, parity)) spin(where);
  g.progress = true;
}

void tma_load(void* to, const CUtensorMap* map, uint64_t* bar, const int* at, int rank, uint32_t blocks) {
  check(*map, to, rank);
  const uint32_t offset = offset_in(*g.block, to, box_bytes(*map)),
                 bar_offset = offset_in(*g.block, bar, sizeof *bar);
  struct Load {
    CUtensorMap map;
    int at[5];
    std::vector<Block*> blocks;
  } load = {*map, {}, {}};
  std::copy(at, at + rank, load.at);
  const auto& all = g.block->cluster->blocks;
  for (size_t r = 0; r < all.size(); ++r)
    if (blocks >> r & 1) load.blocks.push_back(all[r]);
  for (Block* b : load.blocks) hopper::load(b->shared + bar_offset);
  later([load, offset, bar_offset] {
    for (Block* b : load.blocks) {
      each_element(load.map, load.at, [&](const unsigned char* from, uint32_t byte) {
        unsigned char* const p = b->shared + swizzled(offset + byte, load.map.swizzle);
        if (from)
          std::memcpy(p, from, load.map.itemsize);
        else
          std::memset(p, 0, load.map.itemsize);
      });
      complete_bytes(b->shared + bar_offset, box_bytes(load.map));
    }
  });
}
void bulk_load(void* to, const void* from, uint32_t bytes, uint64_t* bar) {
  const auto misplaced = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 != 0; };
  if (misplaced(to) || misplaced(from) || bytes % 16)
    die("a bulk copy whose addresses and size are not multiples of 16");
  offset_in(*g.block, to, bytes);
  load(bar);
  later([=] {
    std::memcpy(to, from, bytes);
    complete_bytes(bar, bytes);
  });
}

void tma_store(const CUtensorMap* map, const void* from, const int* at, int rank) {
  check(*map, from, rank);
  struct Store {
    CUtensorMap map;
    int at[5];
  } s = {*map, {}};
  std::copy(at, at + rank, s.at);
  Block* const b = g.block;
  const uint32_t offset = offset_in(*b, from, box_bytes(*map));
  auto work = [s, b, offset] {
    each_element(s.map, s.at, [&](unsigned char* to, uint32_t byte) {
      if (to) std::memcpy(to, b->shared + swizzled(offset + byte, s.map.swizzle), s.map.itemsize);
    });
  };
  if (g.order == reverse) {
    work();
    unit<Stores>().mine().open.push_back([] {});
  } else {
    unit<Stores>().mine().open.push_back(work);
  }
}
void tma_store_commit() {
  auto& q = unit<Stores>().mine();
  q.groups.push_back(std::move(q.open));
  q.open.clear();
}
void tma_store_wait(unsigned groups) {
  auto& q = unit<Stores>().mine();
  while (q.groups.size() > groups) {
    for (const auto& work : q.groups.front()) work();
    q.groups.pop_front();
  }
}

void wgmma(float* d, int n, uint64_t a, uint64_t b, bool tf32, bool accumulate) {
  auto& all = unit<Warpgroups>();
  Warpgroup& w = all.mine();
  auto& me = all.me();
  const size_t place = me.issued++ - w.computed;
  me.open = true;
  if (place == w.products.size()) {
    w.products.emplace_back();
    Product& fresh = w.products.back();
    fresh.n = n;
    fresh.a = a;
    fresh.b = b;
    fresh.tf32 = tf32;
    fresh.accumulate = accumulate;
  }
  Product& p = w.products[place];
  if (p.a != a || p.b != b || p.n != n || p.tf32 != tf32 || p.accumulate != accumulate)
    die("wgmma: the threads of a warpgroup give different descriptors or shapes");
  p.d[g.thread->index % 128] = d;
  p.issued++;
  if (g.order == reverse)
    while (compute_next(w)) {
    }
}
void wgmma_commit() {
  auto& me = unit<Warpgroups>().me();
  me.groups.push_back(me.issued);
  me.open = false;
}
void wgmma_wait(unsigned groups, Where where) {
  auto& all = unit<Warpgroups>();
  Warpgroup& w = all.mine();
  auto& me = all.me();
  while (me.groups.size() > groups) {
    while (w.computed < me.groups.front())
      if (!compute_next(w)) spin(where);
    me.groups.pop_front();
  }
  g.progress = true;
}

uint32_t cluster_rank() { return g.block->rank; }
void* cluster_map(const void* p, uint32_t rank) {
  const auto& all = g.block->cluster->blocks;
  if (rank >= all.size()) die("block %u of a cluster of %zu", rank, all.size());
  return all[rank]->shared + offset_in(*g.block, p, 1);
}
void cluster_arrive() {
  Cluster& c = *g.block->cluster;
  int64_t& mine = unit<ClusterWaits>().phase[g.thread->index];
  if (mine >= 0) die("a thread arrives twice at the cluster's barrier");
  mine = c.phase;
  g.progress = true;
  if (++c.arrived == c.threads) {
    c.arrived = 0;
    c.phase++;
  }
}
void cluster_wait(Where where) {
  int64_t& mine = unit<ClusterWaits>().phase[g.thread->index];
  if (mine < 0) die("a thread waits at the cluster's barrier where it has not arrived");
  while (g.block->cluster->phase == mine) spin(where);
  mine = -1;
  g.progress = true;
}

}  // namespace emu::hopper

CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* base,
                                const cuuint64_t* size, const cuuint64_t* strides, const cuuint32_t* box,
                                const cuuint32_t* element_strides, CUtensorMapInterleave,
                                CUtensorMapSwizzle swizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
  constexpr uint16_t kSizes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  CUtensorMap m = {};
  m.itemsize = kSizes[type];
  m.base = static_cast<unsigned char*>(base);
  m.rank = static_cast<uint16_t>(rank);
  m.swizzle = static_cast<uint16_t>(swizzle);
  if (rank < 1 || rank > 5 || reinterpret_cast<uintptr_t>(base) % 16) return CUDA_ERROR_INVALID_VALUE;
  for (cuuint32_t d = 0; d < rank; ++d) {
    m.size[d] = size[d];
    m.pitch[d] = d ? strides[d - 1] : m.itemsize;
    m.box[d] = box[d];
    if (size[d] == 0 || size[d] > uint64_t{1} << 32 || box[d] == 0 || box[d] > 256 || element_strides[d] != 1)
      return CUDA_ERROR_INVALID_VALUE;
    if (d && (m.pitch[d] % 16 || m.pitch[d] >= uint64_t{1} << 40)) return CUDA_ERROR_INVALID_VALUE;
  }
  const uint32_t inner = m.box[0] * m.itemsize, widths[] = {0, 32, 64, 128};
  if (inner % 16 || (swizzle && inner > widths[swizzle])) return CUDA_ERROR_INVALID_VALUE;
  m.made = CUtensorMap::kMade;
  *map = m;
  return CUDA_SUCCESS;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** f, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult* found) {
  const bool known = !std::strcmp(symbol, "cuTensorMapEncodeTiled");
  *f = known ? reinterpret_cast<void*>(&cuTensorMapEncodeTiled) : nullptr;
  if (found) *found = known ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  return known ? cudaSuccess : cudaErrorInvalidSymbol;
}
