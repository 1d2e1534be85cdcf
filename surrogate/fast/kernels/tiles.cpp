// Functions of tiles of weights: see surrogate/fast/tiles.py.

#include "vectors.h"

extern "C" {

// What is the same for all tiles: surrogate.fast.tiles.CellModel.
struct Cell {
  int64_t rows, columns, points;
  float low, per_step;
  const float *fall_table, *mean_table, *function_table;  // [points, 8], [points, 8], [points, 2 × kVecs × 8]
  const float *edge_shift, *edge_fall;                    // [rows]
  const float* strength;                                  // [5, D]: kernels by number of active neighbours
  float gate_row, gate_column, mean_fall, driver, word_line, switch_resistance, bit_line, sensitivity;
};

}  // extern "C"

namespace {

// places of `count` states on the tables' grid: the point before, and the fraction of a step beyond it
void find_places(const float* x, int64_t count, int64_t points, float low, float per_step, int32_t* index,
                 float* fraction) {
  const int32_t last = static_cast<int32_t>(points) - 2;
  for (int64_t k = 0; k < count; ++k) {
    const float place = (x[k] - low) * per_step;
    const int32_t at = static_cast<int32_t>(place);
    index[k] = at < 0 ? 0 : at > last ? last : at;
    fraction[k] = place - static_cast<float>(index[k]);
  }
}

// kLanes columns at a place of a table [points, stride]
inline Vec look_up(const float* values, int64_t stride, int32_t index, float fraction) {
  const float* at = values + index * stride;
  const Vec a = load(at), b = load(at + stride);
  return a + fraction * (b - a);
}

// columns that the functions of a cell (R of its current, R of its rise, D of its drop) take in a table
template <int R, int D>
constexpr int kVecs = (2 * R + D + kLanes - 1) / kLanes;

// rows of a tile that are worked on together: each row's sums are chains of dependent additions
constexpr int64_t kRows = 4;

// rises [rows ≤ kRows, m] of word lines under the currents [rows, m] of their cells; a symmetric map
void rise_of(const float* current, int64_t rows, int64_t m, float driver, float wire, float* rise) {
  float sum[kRows] = {};
  for (int64_t j = m - 1; j >= 0; --j)
    for (int64_t r = 0; r < rows; ++r) rise[r * m + j] = sum[r] += current[r * m + j];
  for (int64_t r = 0; r < rows; ++r) rise[r * m] = sum[r] *= driver;
  for (int64_t j = 1; j < m; ++j)
    for (int64_t r = 0; r < rows; ++r) rise[r * m + j] = sum[r] += wire * rise[r * m + j];
}

// neighbours' part [m] in row i of a map of the falls [n, m] of floating gates: along the row, and across it
inline float along_row(const float* fall, int64_t j, int64_t m) {
  return (j ? fall[-1] - fall[0] : 0.0f) + (j + 1 < m ? fall[1] - fall[0] : 0.0f);
}

void resting_states(const Cell& cell, const float* fall, const float* state, int64_t i, float* base) {
  const int64_t n = cell.rows, m = cell.columns;
  const float *f = fall + i * m, *above = i ? f - m : nullptr, *below = i + 1 < n ? f + m : nullptr;
  float* out = base + i * m;
  const float apart = cell.gate_column * cell.mean_fall * static_cast<float>((above != nullptr) + (below != nullptr));
  const float fixed = cell.edge_shift[i] - apart, gain = cell.edge_fall[i];
  for (int64_t j = 0; j < m; ++j)
    out[j] = state[i * m + j] + fixed + gain * f[j] + cell.gate_row * along_row(f + j, j, m);
  if (above)
    for (int64_t j = 0; j < m; ++j) out[j] += cell.gate_column * above[j];
  if (below)
    for (int64_t j = 0; j < m; ++j) out[j] += cell.gate_column * below[j];
}

template <int R, int D>
void tile_forward(const Cell& cell, const float* state, float* current, float* amplitude, float* mean, float* response,
                  float* curvature, float* share, float* strength, float* profile, float* kappa, float* x, float* rise,
                  float* slope, float* fall_slope) {
  const int64_t n = cell.rows, m = cell.columns, nm = n * m;
  std::vector<float> fall(nm), shift(m, 0.0f), scratch(2 * kRows * m), fraction(std::max(nm, kRows * m));
  std::vector<int32_t> index(fraction.size());
  std::vector<Vec> total(m, Vec{});
  float *drawn = scratch.data(), *first = drawn + kRows * m;
  const auto places = [&](const float* states, int64_t count) {
    find_places(states, count, cell.points, cell.low, cell.per_step, index.data(), fraction.data());
  };
  places(state, nm);
  for (int64_t k = 0; k < nm; ++k) {
    const float *a = cell.fall_table + index[k] * kLanes, *b = a + kLanes;
    fall[k] = a[0] + fraction[k] * (b[0] - a[0]);
    fall_slope[k] = a[1] + fraction[k] * (b[1] - a[1]);
  }
  for (int64_t i = 0; i < n; i += kRows) {
    const int64_t rows = std::min(kRows, n - i), count = rows * m;
    float *at = x + i * m, *z = rise + i * m;
    for (int64_t r = 0; r < rows; ++r) resting_states(cell, &fall[0], state, i + r, x);
    places(at, count);
    for (int64_t k = 0; k < count; ++k) {
      const float *a = cell.mean_table + index[k] * kLanes, *b = a + kLanes;
      drawn[k] = a[0] + fraction[k] * (b[0] - a[0]);
    }
    rise_of(drawn, rows, m, cell.driver, cell.word_line, first);
    for (int64_t k = 0; k < count; ++k) first[k] = at[k] - first[k];
    places(first, count);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < m; ++j) {
        const int64_t k = r * m + j;
        const Vec v = look_up(cell.mean_table, kLanes, index[k], fraction[k]);
        drawn[k] = v[0];
        slope[i * m + k] = v[3];
        total[j] += v;
      }
    rise_of(drawn, rows, m, cell.driver, cell.word_line, z);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < m; ++j) shift[j] += drawn[r * m + j] * z[r * m + j];
    for (int64_t k = 0; k < count; ++k) at[k] -= z[k];
    places(at, count);
    for (int64_t k = 0; k < count; ++k) {
      Vec v[kVecs<R, D>];
      for (int w = 0; w < kVecs<R, D>; ++w)
        v[w] = look_up(cell.function_table + w * kLanes, 2 * kVecs<R, D> * kLanes, index[k], fraction[k]);
      const auto f = [&v](int q) { return v[q / kLanes][q % kLanes]; };
      for (int q = 0; q < R; ++q) current[q * nm + i * m + k] = f(q) - z[k] * f(R + q);
      for (int d = 0; d < D; ++d) amplitude[d * nm + i * m + k] = f(2 * R + d);
    }
  }
  for (int64_t j = 0; j < m; ++j) {
    const float current = total[j][0], loss = total[j][1];
    kappa[j] = loss / current;
    curvature[j] = total[j][2] * current / (loss * loss);
    share[j] = 1.0f - kappa[j] / cell.sensitivity * shift[j] / current;
  }
  double typical[D], row_sum[D];
  std::vector<double> rows(n * D), row(n), drop(n);
  for (int d = 0; d < D; ++d) {
    typical[d] = 0.0;
    for (int64_t i = 0; i < n; ++i) {
      row_sum[d] = 0.0;
      for (int64_t j = 0; j < m; ++j) {
        float& a = amplitude[d * nm + i * m + j];
        a = 0.5f * (current[d * nm + i * m + j] + a / kappa[j]);
        row_sum[d] += a;
      }
      rows[i * D + d] = row_sum[d] / m;
      typical[d] += row_sum[d] / nm;
    }
  }
  double norm = 0.0, whole = 0.0, beyond = 0.0, resistance = 0.0;
  for (int d = 0; d < D; ++d) norm += typical[d] * typical[d];
  for (int64_t i = n - 1; i >= 0; --i) {
    row[i] = 0.0;
    for (int d = 0; d < D; ++d) row[i] += rows[i * D + d] * typical[d] / norm;
    drop[i] = whole += row[i];
  }
  for (int64_t i = 0; i < n; ++i) {
    if (i) beyond += drop[i];
    drop[i] = cell.switch_resistance * whole + cell.bit_line * beyond;
    resistance += drop[i] * row[i] / (whole * whole);
  }
  for (int64_t i = 0; i < n; ++i) {
    profile[i] = static_cast<float>(drop[i] / (resistance * whole));
    mean[i] = static_cast<float>(row[i]) * profile[i];
    for (int d = 0; d < D; ++d)
      for (int64_t j = 0; j < m; ++j) amplitude[d * nm + i * m + j] *= profile[i];
  }
  for (int64_t j = 0; j < m; ++j) response[j] = kappa[j] * static_cast<float>(resistance);
  for (int c = 0; c < 5; ++c) {
    strength[c] = 0.0f;
    for (int d = 0; d < D; ++d) strength[c] += cell.strength[c * D + d] * static_cast<float>(typical[d]);
  }
}

template <int R, int D>
void tile_backward(const Cell& cell, const float* profile, const float* kappa, const float* x, const float* rise,
                   const float* slope, const float* fall_slope, const float* to_current, const float* to_amplitude,
                   float* to_state) {
  const int64_t n = cell.rows, m = cell.columns, nm = n * m;
  constexpr int V = kVecs<R, D>;
  std::vector<float> base(nm), fed(kRows * m), answer(kRows * m), per_kappa(m), fraction(kRows * m);
  std::vector<int32_t> index(kRows * m);
  for (int64_t j = 0; j < m; ++j) per_kappa[j] = 1.0f / kappa[j];
  for (int64_t i = 0; i < n; i += kRows) {
    const int64_t rows = std::min(kRows, n - i);
    find_places(x + i * m, rows * m, cell.points, cell.low, cell.per_step, index.data(), fraction.data());
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < m; ++j) {
        const int64_t at = r * m + j, k = i * m + at;
        Vec v[2 * V];
        for (int w = 0; w < 2 * V; ++w)
          v[w] = look_up(cell.function_table + w * kLanes, 2 * V * kLanes, index[at], fraction[at]);
        const auto f = [&v](int q) { return v[q / kLanes][q % kLanes]; };
        const auto slope_of = [&v](int q) { return v[V + q / kLanes][q % kLanes]; };
        float by_state = 0.0f, by_rise = 0.0f;
        for (int q = 0; q < R; ++q) {
          float g = to_current[q * nm + k];
          if (q < D) {
            const float h = 0.5f * profile[i + r] * to_amplitude[(q < D ? q : 0) * nm + k];
            g += h;
            by_state += h * per_kappa[j] * slope_of(2 * R + q);
          }
          by_state += g * (slope_of(q) - rise[k] * slope_of(R + q));
          by_rise -= g * f(R + q);
        }
        base[k] = by_state;
        fed[at] = by_rise - by_state;
      }
    rise_of(fed.data(), rows, m, cell.driver, cell.word_line, answer.data());
    for (int64_t k = 0; k < rows * m; ++k) base[i * m + k] += answer[k] * slope[i * m + k];
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < m; ++j) {
      const int64_t k = i * m + j;
      const float across = (i ? base[k - m] : 0.0f) + (i + 1 < n ? base[k + m] : 0.0f);
      const float by_fall = cell.edge_fall[i] * base[k] + cell.gate_row * along_row(&base[k], j, m);
      to_state[k] = base[k] + fall_slope[k] * (by_fall + cell.gate_column * across);
    }
}

// Pairs of columns (2k, 2k + 1) of one of the tiles that lie side by side, its `first` being the pair `at` of `pairs`.
struct Pairs {
  int64_t at, count, pairs, columns;
  Pairs(int64_t side, int64_t m, int64_t all)
      : at(side * (m / 2)), count(std::min(m / 2, std::max<int64_t>(all - at, 0))), pairs(all), columns(m) {}

  // differences [rows, pairs] of `values` [rows, columns]
  void differences(const float* values, int64_t rows, float* out) const {
    for (int64_t i = 0; i < rows; ++i, values += columns, out += pairs)
      for (int64_t p = 0; p < count; ++p) out[at + p] = values[2 * p] - values[2 * p + 1];
  }
  void of_differences(const float* given, int64_t rows, float* values) const {
    for (int64_t i = 0; i < rows; ++i, values += columns, given += pairs) {
      for (int64_t p = 0; p < count; ++p) values[2 * p] = given[at + p], values[2 * p + 1] = -given[at + p];
      std::fill(values + 2 * count, values + columns, 0.0f);
    }
  }
  // [rows, 2, pairs]: all positive columns before all negative ones
  void apart(const float* values, int64_t rows, float* out) const {
    for (int64_t i = 0; i < rows; ++i, values += columns, out += 2 * pairs)
      for (int64_t p = 0; p < count; ++p) out[at + p] = values[2 * p], out[pairs + at + p] = values[2 * p + 1];
  }
  void of_apart(const float* given, int64_t rows, float* values) const {
    for (int64_t i = 0; i < rows; ++i, values += columns, given += 2 * pairs) {
      for (int64_t p = 0; p < count; ++p) values[2 * p] = given[at + p], values[2 * p + 1] = given[pairs + at + p];
      std::fill(values + 2 * count, values + columns, 0.0f);
    }
  }
};

}  // namespace

extern "C" {

#define FG_FOR_TERMS(CALL)                                   \
  switch (10 * terms + drop_terms) {                         \
    case 21: CALL(2, 1); break;                              \
    case 31: CALL(3, 1); break;                              \
    case 32: CALL(3, 2); break;                              \
    case 42: CALL(4, 2); break;                              \
    case 43: CALL(4, 3); break;                              \
    case 53: CALL(5, 3); break;                              \
    default: return 1;                                       \
  }

// Functions of tiles `state` [tiles, rows, columns]: see tiles.py. The last six are kept for the way back.
int fg_tile_forward(const Cell* cell, int64_t tiles, int64_t terms, int64_t drop_terms, const float* state,
                    float* current, float* amplitude, float* mean, float* response, float* curvature, float* share,
                    float* strength, float* profile, float* kappa, float* x, float* rise, float* slope,
                    float* fall_slope) {
  const int64_t n = cell->rows, m = cell->columns, nm = n * m;
#define FG_CALL(R, D)                                                                                             \
  for (int64_t t = 0; t < tiles; ++t)                                                                             \
  tile_forward<R, D>(*cell, state + t * nm, current + t * R * nm, amplitude + t * D * nm, mean + t * n,           \
                     response + t * m, curvature + t * m, share + t * m, strength + t * 5, profile + t * n,       \
                     kappa + t * m, x + t * nm, rise + t * nm, slope + t * nm, fall_slope + t * nm)
  FG_FOR_TERMS(FG_CALL)
#undef FG_CALL
  return 0;
}

int fg_tile_backward(const Cell* cell, int64_t tiles, int64_t terms, int64_t drop_terms, const float* profile,
                     const float* kappa, const float* x, const float* rise, const float* slope, const float* fall_slope,
                     const float* to_current, const float* to_amplitude, float* to_state) {
  const int64_t n = cell->rows, m = cell->columns, nm = n * m;
#define FG_CALL(R, D)                                                                                            \
  for (int64_t t = 0; t < tiles; ++t)                                                                            \
  tile_backward<R, D>(*cell, profile + t * n, kappa + t * m, x + t * nm, rise + t * nm, slope + t * nm,          \
                      fall_slope + t * nm, to_current + t * R * nm, to_amplitude + t * D * nm, to_state + t * nm)
  FG_FOR_TERMS(FG_CALL)
#undef FG_CALL
  return 0;
}

// As fg_tile_forward, for `tiles` of which `sides` that follow each other lie side by side: of `pairs` columns of those,
// differences `current` [tiles / sides, terms, rows, pairs] and `amplitude` [tiles / sides, drop_terms, rows, 2, pairs].
int fg_pair_forward(const Cell* cell, int64_t tiles, int64_t sides, int64_t pairs, int64_t terms, int64_t drop_terms,
                    const float* state, float* current, float* amplitude, float* mean, float* response,
                    float* curvature, float* share, float* strength, float* profile, float* kappa, float* x,
                    float* rise, float* slope, float* fall_slope) {
  const int64_t n = cell->rows, m = cell->columns, nm = n * m;
  if (m % 2 && sides > 1) return 1;
  std::vector<float> room((terms + drop_terms) * nm);
  float *c = room.data(), *a = c + terms * nm;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t at = t * nm, by = t / sides;
    if (fg_tile_forward(cell, 1, terms, drop_terms, state + at, c, a, mean + t * n, response + t * m, curvature + t * m,
                        share + t * m, strength + t * 5, profile + t * n, kappa + t * m, x + at, rise + at, slope + at,
                        fall_slope + at))
      return 1;
    const Pairs some(t % sides, m, pairs);
    some.differences(c, terms * n, current + by * terms * n * pairs);
    some.apart(a, drop_terms * n, amplitude + by * drop_terms * n * 2 * pairs);
  }
  return 0;
}

int fg_pair_backward(const Cell* cell, int64_t tiles, int64_t sides, int64_t pairs, int64_t terms, int64_t drop_terms,
                     const float* profile, const float* kappa, const float* x, const float* rise, const float* slope,
                     const float* fall_slope, const float* to_current, const float* to_amplitude, float* to_state) {
  const int64_t n = cell->rows, m = cell->columns, nm = n * m;
  std::vector<float> room((terms + drop_terms) * nm);
  float *c = room.data(), *a = c + terms * nm;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t at = t * nm, by = t / sides;
    const Pairs some(t % sides, m, pairs);
    some.of_differences(to_current + by * terms * n * pairs, terms * n, c);
    some.of_apart(to_amplitude + by * drop_terms * n * 2 * pairs, drop_terms * n, a);
    if (fg_tile_backward(cell, 1, terms, drop_terms, profile + t * n, kappa + t * m, x + at, rise + at, slope + at,
                         fall_slope + at, c, a, to_state + at))
      return 1;
  }
  return 0;
}

}  // extern "C"
