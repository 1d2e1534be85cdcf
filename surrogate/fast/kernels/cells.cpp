// States of pairs of cells that hold weights: see surrogate/fast/cells.py.

#include "curve.h"

extern "C" {

// `tiles` of `rows` x `columns`, of which every `sides` lie side by side and hold `outputs` weights of a row in all,
// `fitting` each; their currents are `low` + `swing` times a level, `zero` that of weight zero.
struct Pairs {
  int64_t tiles, rows, columns, sides, outputs, fitting;
  float low, swing, zero;
};

}  // extern "C"

namespace {

// calls with_row(tile, row, place of its first weight, number of weights) for each row of each tile
template <class WithRow>
void for_rows(const Pairs& p, const WithRow& with_row) {
  for (int64_t t = 0; t < p.tiles; ++t) {
    const int64_t first = t % p.sides * p.fitting, count = std::min(p.fitting, p.outputs - first);
    for (int64_t i = 0; i < p.rows; ++i) with_row(t, i, (t / p.sides * p.rows + i) * p.outputs + first, count);
  }
}

}  // namespace

extern "C" {

// States [tiles, rows, columns] of `weight` [tiles / sides, rows, outputs], and slopes of each weight's own side by the
// weight.
int fg_pair_states(const Pairs* pairs, const Curve* curve, const float* weight, float* state, float* slope) {
  const Pairs p = *pairs;
  const Curve c = *curve;
  float idle, other, unused;
  curve_at(c, p.low, &idle, &unused);
  curve_at(c, p.low + p.swing * p.zero, &other, &unused);
  const float whole = 1.0f - p.zero;
  for_rows(p, [&](int64_t t, int64_t i, int64_t first, int64_t count) {
    float* to = state + (t * p.rows + i) * p.columns;
    for (int64_t k = 0; k < count; ++k) {
      const float w = weight[first + k], size = std::abs(w);
      float held, by;
      curve_at(c, p.low + p.swing * (p.zero + whole * (size > 1.0f ? 1.0f : size)), &held, &by);
      to[2 * k] = w < 0.0f ? other : held;
      to[2 * k + 1] = w < 0.0f ? held : other;
      slope[first + k] = size <= 1.0f ? by * p.swing * whole : 0.0f;
    }
    std::fill(to + 2 * count, to + p.columns, idle);
  });
  return 0;
}

// Gradient to the weights. `growth` [tiles, k, columns] multiplies that to the states of the k rows whose `special` is
// not negative, but their number.
int fg_pair_weights(const Pairs* pairs, int64_t k, const int32_t* special, const float* growth, const float* weight,
                    const float* slope, const float* to_state, float* to_weight) {
  const Pairs p = *pairs;
  std::vector<float> ones(p.columns, 1.0f);
  for_rows(p, [&](int64_t t, int64_t i, int64_t first, int64_t count) {
    const float* given = to_state + (t * p.rows + i) * p.columns;
    const float* grown = special[i] < 0 ? ones.data() : growth + (t * k + special[i]) * p.columns;
    for (int64_t j = 0; j < count; ++j) {
      const float w = weight[first + j], plus = given[2 * j] * grown[2 * j];
      const float minus = given[2 * j + 1] * grown[2 * j + 1];
      to_weight[first + j] = slope[first + j] * (w > 0.0f ? plus : w < 0.0f ? -minus : plus - minus);
    }
  });
  return 0;
}

}  // extern "C"
