// The bfloat16 product on Intel's tile registers (AMX), by intrinsics since no vector type stands for a tile: C in four tiles of 16 by 16 sums, 2 x 2, each fed by tiles of A
// (16 rows, 16 pairs) and of B (16 pairs, 16 columns), which lie in the packed operands as they are. One instruction is
// 16 x 16 x 32 multiply-adds in 16 cycles; two tiles of A and two of B are loaded for four of them.
//
// Rows of A up to a multiple of 16 are read: the workspace has them, and what they hold goes into rows of sums that are
// not stored; columns of B likewise. Parallel over panels, as the dot-product tiles.
#pragma once
#include <immintrin.h>

#include "kernels/bf16_panel.h"

namespace pl::PL_ISA {
namespace {

constexpr int64_t kPairs = 16;
constexpr int64_t kTile = 16;  // rows and columns of a tile of sums

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_a_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileConfig kTileConfig;

// Part of a tile of sums at c; `sums` holds the whole.
void put_part(const float* sums, float* c, int64_t ldc, int64_t rows, int64_t columns, bool add) {
  for (int64_t i = 0; i < rows; ++i, sums += kTile, c += ldc)
    store_n(c, add ? load(sums) + load_n(c, columns) : load(sums), columns);
}

// Tiles 0 to 3 are sums (row, column), 4 and 5 of A, 6 and 7 of B: the instructions name them in their code.
template <int R, int V>
void amx_tile(const PanelProduct& t) {
  const auto step_a = static_cast<size_t>(t.lda) * sizeof(uint32_t);
  constexpr size_t step_b = P * sizeof(uint32_t);
  _tile_zero(0);
  if constexpr (V > 1) _tile_zero(1);
  if constexpr (R > 1) _tile_zero(2);
  if constexpr (R > 1 && V > 1) _tile_zero(3);
  for (int64_t q = 0; q < t.pairs; q += kPairs) {
    _tile_loadd(4, t.a + q, step_a);
    _tile_loadd(6, t.b + q * P, step_b);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (V > 1) {
      _tile_loadd(7, t.b + q * P + kTile, step_b);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (R > 1) {
      _tile_loadd(5, t.a + kTile * t.lda + q, step_a);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (V > 1) _tile_dpbf16ps(3, 5, 7);
    }
  }
  alignas(64) float sums[4][kTile * kTile];
  constexpr size_t step = kTile * sizeof(float);
  _tile_stored(0, sums[0], step);
  if constexpr (V > 1) _tile_stored(1, sums[1], step);
  if constexpr (R > 1) _tile_stored(2, sums[2], step);
  if constexpr (R > 1 && V > 1) _tile_stored(3, sums[3], step);
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < V; ++j)
      put_part(sums[2 * i + j], t.c + i * kTile * t.ldc + j * kTile, t.ldc,
               smaller(kTile, t.rows - i * kTile), smaller(kTile, t.columns - j * kTile), t.add);
}

void multiply_panel(const PanelProduct& whole) {
  _tile_loadconfig(&kTileConfig);
  for (int64_t i = 0; i < whole.rows; i += 2 * kTile)
    for (int64_t j = 0; j < whole.columns; j += 2 * kTile) {
      PanelProduct t = whole;
      t.a += i * t.lda;
      t.b += j;
      t.c += i * t.ldc + j;
      t.rows = smaller(2 * kTile, whole.rows - i);
      t.columns = smaller(2 * kTile, whole.columns - j);
      if (t.rows > kTile)
        t.columns > kTile ? amx_tile<2, 2>(t) : amx_tile<2, 1>(t);
      else
        t.columns > kTile ? amx_tile<1, 2>(t) : amx_tile<1, 1>(t);
    }
  _tile_release();
}

}  // namespace
}  // namespace pl::PL_ISA
