// The fast engine's loops, fused: each function does what the function of the same name in Python does with torch.
// Built by surrogate/fast_engine/native.py; plain C interface, float32, row-major, no state.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int kLanes = 8;
constexpr int kReach = 2;
constexpr int kOffsets[4] = {-2, -1, 1, 2};
constexpr float kTiny = 1e-20f;

typedef float Vec __attribute__((vector_size(4 * kLanes), aligned(4)));

inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
inline Vec min(Vec a, Vec b) { return a < b ? a : b; }

int64_t padded(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// samples that are worked on together, so that what is between the steps stays in the cache
constexpr int64_t kChunk = 16;

// values [count, n] into rows [count, width] from place kReach on
void widen(const float* values, int64_t count, int64_t n, int64_t width, float* out) {
  for (int64_t k = 0; k < count; ++k) std::memcpy(out + k * width + kReach, values + k * n, n * sizeof(float));
}

// minima over the subsets of the four neighbours, from m[0] = own
inline void minima(Vec* m, const Vec* neighbour) {
  for (int k = 0; k < 4; ++k)
    for (int c = 0; c < 1 << k; ++c) m[c | 1 << k] = min(m[c], neighbour[k]);
}

// --- crosstalk ------------------------------------------------------------------------------------------------------

// a row's own pulse without what its edges lose, and its derivative
inline Vec shortened(Vec time, float lost) {
  const Vec zero{}, by = zero + lost;
  return lost > 0.0f ? time - min(time, by) : time - (time > zero ? by : zero);
}
inline Vec shortened_slope(Vec time, float lost) {
  const Vec zero{}, one = zero + 1.0f, by = zero + lost;
  return lost > 0.0f ? (time > by ? one : zero) : one;
}

template <int Q>
void crosstalk_forward(int64_t batch, int64_t n, const float* time, float lost, const float* kernel, float* out) {
  const int64_t np = padded(n), width = np + 2 * kReach;
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t valid = std::min<int64_t>(kLanes, n - i);
    Vec t[16 * Q];
    for (int c = 0; c < 16 * Q; ++c) t[c] = load(kernel + c * np + i);
    for (int64_t b = 0; b < batch; ++b) {
      const float* row = time + b * width + i + kReach;
      Vec m[16], neighbour[4];
      for (int k = 0; k < 4; ++k) neighbour[k] = load(row + kOffsets[k]);
      m[0] = shortened(load(row), lost);
      minima(m, neighbour);
      for (int q = 0; q < Q; ++q) {
        Vec even = m[0] * t[q], odd = m[1] * t[Q + q];
        for (int c = 2; c < 16; c += 2) {
          even += m[c] * t[c * Q + q];
          odd += m[c + 1] * t[(c + 1) * Q + q];
        }
        even += odd;
        float* to = out + (b * Q + q) * n + i;
        if (valid == kLanes) store(to, even);
        else std::memcpy(to, &even, valid * sizeof(float));
      }
    }
  }
}

// `passed` [5, all]: to the row itself and, still at the row's own place, to its four neighbours
template <int Q>
void crosstalk_backward(int64_t batch, int64_t n, const float* time, float lost, const float* kernel,
                        const float* gradient, float* passed, int64_t all) {
  const int64_t np = padded(n), width = np + 2 * kReach;
  const Vec zero{};
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t valid = std::min<int64_t>(kLanes, n - i);
    Vec t[16 * Q];
    for (int c = 0; c < 16 * Q; ++c) t[c] = load(kernel + c * np + i);
    for (int64_t b = 0; b < batch; ++b) {
      const float* row = time + b * width + i + kReach;
      Vec m[16], neighbour[4], g[16], in[Q];
      for (int k = 0; k < 4; ++k) neighbour[k] = load(row + kOffsets[k]);
      m[0] = shortened(load(row), lost);
      minima(m, neighbour);
      for (int q = 0; q < Q; ++q) {
        const float* from = gradient + (b * Q + q) * n + i;
        if (valid == kLanes) in[q] = load(from);
        else { in[q] = zero; std::memcpy(&in[q], from, valid * sizeof(float)); }
      }
      for (int c = 0; c < 16; ++c) {
        g[c] = in[0] * t[c * Q];
        for (int q = 1; q < Q; ++q) g[c] += in[q] * t[c * Q + q];
      }
      float* to = passed + b * width + i + kReach;
      for (int k = 3; k >= 0; --k) {
        Vec away = zero;
        for (int c = 0; c < 1 << k; ++c) {
          const auto mine = m[c] < neighbour[k];
          g[c] += mine ? g[c | 1 << k] : zero;
          away += mine ? zero : g[c | 1 << k];
        }
        store(to + (k + 1) * all, away);
      }
      store(to, g[0] * shortened_slope(load(row), lost));
    }
  }
}

// --- clock ----------------------------------------------------------------------------------------------------------

// Slots of equal charge: their edges on the clock, ∫c² dt and ∫c³ dt / ∫c² dt.
void slots_of(int64_t slots, int64_t grid, const Vec* step, const Vec* reading, Vec* edge, Vec* square, Vec* level) {
  const float scale = static_cast<float>(grid);
  std::fill(edge, edge + slots + 1, Vec{});
  std::fill(square, square + slots, Vec{});
  std::fill(level, level + slots, Vec{});
  if (slots == 1) {
    for (int64_t k = 0; k < grid; ++k) {
      const Vec two = step[k] * step[k] * (1.0f / scale);
      square[0] += two;
      level[0] += two * step[k];
    }
    edge[1] = reading[grid];
  } else {
    for (int64_t k = 0; k < grid; ++k)
      for (int lane = 0; lane < kLanes; ++lane) {
        const float charge = step[k][lane] / scale, middle = reading[k][lane] + 0.5f * charge;
        const float at = middle * static_cast<float>(slots) / std::max(reading[grid][lane], kTiny);
        const int64_t s = std::min<int64_t>(static_cast<int64_t>(at), slots - 1);
        edge[s + 1][lane] += charge;
        square[s][lane] += step[k][lane] * charge;
        level[s][lane] += step[k][lane] * step[k][lane] * charge;
      }
    for (int64_t s = 0; s < slots; ++s) edge[s + 1] += edge[s];
  }
  for (int64_t s = 0; s < slots; ++s) {
    const Vec least = Vec{} + kTiny;
    level[s] /= square[s] > least ? square[s] : least;
  }
}

// --- tiles ----------------------------------------------------------------------------------------------------------

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

}  // namespace

extern "C" {

// What is the same for all tiles: see engine.py.
struct Cell {
  int64_t rows, columns, points;
  float low, per_step;
  const float *fall_table, *mean_table, *function_table;  // [points, 8], [points, 8], [points, 2 × kVecs × 8]
  const float *edge_shift, *edge_fall;                    // [rows]
  const float* strength;                                  // [5, D]: kernels by number of active neighbours
  float gate_row, gate_column, middle_fall, driver, word_line, switch_resistance, bit_line, sensitivity;
};
}

namespace {

// neighbours' part [m] in row i of a map of the falls [n, m] of floating gates: along the row, and across it
inline float along_row(const float* fall, int64_t j, int64_t m) {
  return (j ? fall[-1] - fall[0] : 0.0f) + (j + 1 < m ? fall[1] - fall[0] : 0.0f);
}

void resting_states(const Cell& cell, const float* fall, const float* state, int64_t i, float* base) {
  const int64_t n = cell.rows, m = cell.columns;
  const float *f = fall + i * m, *above = i ? f - m : nullptr, *below = i + 1 < n ? f + m : nullptr;
  float* out = base + i * m;
  const float apart = cell.gate_column * cell.middle_fall * static_cast<float>((above != nullptr) + (below != nullptr));
  const float fixed = cell.edge_shift[i] - apart, gain = cell.edge_fall[i];
  for (int64_t j = 0; j < m; ++j) out[j] = state[i * m + j] + fixed + gain * f[j] + cell.gate_row * along_row(f + j, j, m);
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
int fg_tile_forward(const Cell* cell, int64_t tiles, int64_t terms, int64_t drop_terms, const float* state, float* current,
                    float* amplitude, float* mean, float* response, float* curvature, float* share, float* strength,
                    float* profile, float* kappa, float* x, float* rise, float* slope, float* fall_slope) {
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

int fg_tile_backward(const Cell* cell, int64_t tiles, int64_t terms, int64_t drop_terms, const float* profile, const float* kappa,
                     const float* x, const float* rise, const float* slope, const float* fall_slope,
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

#define FG_FOR_PRODUCTS(CALL)  \
  switch (q) {                 \
    case 1: CALL(1); break;    \
    case 2: CALL(2); break;    \
    case 3: CALL(3); break;    \
    case 4: CALL(4); break;    \
    case 5: CALL(5); break;    \
    default: return 1;         \
  }

// Features [batch, Q, n]: see crosstalk.py. `kernel` is [16, Q, padded n].
int fg_crosstalk_forward(int64_t batch, int64_t n, int64_t q, const float* time, const float* lost,
                         const float* kernel, float* out) {
  const int64_t width = padded(n) + 2 * kReach;
  std::vector<float> around(kChunk * width, 0.0f);
  for (int64_t b = 0; b < batch; b += kChunk) {
    const int64_t chunk = std::min(kChunk, batch - b);
    widen(time + b * n, chunk, n, width, around.data());
#define FG_CALL(Q) crosstalk_forward<Q>(chunk, n, around.data(), *lost, kernel, out + b * Q * n)
    FG_FOR_PRODUCTS(FG_CALL)
#undef FG_CALL
  }
  return 0;
}

int fg_crosstalk_backward(int64_t batch, int64_t n, int64_t q, const float* time, const float* lost,
                          const float* kernel, const float* gradient, float* to_time) {  // adds to to_time
  const int64_t width = padded(n) + 2 * kReach, all = kChunk * width;
  std::vector<float> around(all, 0.0f), passed(5 * all, 0.0f);
  for (int64_t b = 0; b < batch; b += kChunk) {
    const int64_t chunk = std::min(kChunk, batch - b);
    widen(time + b * n, chunk, n, width, around.data());
#define FG_CALL(Q) \
  crosstalk_backward<Q>(chunk, n, around.data(), *lost, kernel, gradient + b * Q * n, passed.data(), all)
    FG_FOR_PRODUCTS(FG_CALL)
#undef FG_CALL
    // rows beyond the last one have no pulses, and what is passed to or from outside the array is zero or left out
    for (int64_t k = 0; k < chunk; ++k) {
      const float* from = &passed[k * width + kReach];
      float* to = to_time + (b + k) * n;
      for (int64_t i = 0; i < n; ++i)
        to[i] += from[i] + from[all + i + 2] + from[2 * all + i + 1] + from[3 * all + i - 1] + from[4 * all + i - 2];
    }
  }
  return 0;
}

}

namespace {

// nodes of the time grid at or before times (plus `ahead` steps), at most `last`, and the fraction of a step beyond them
void find_nodes(const float* time, int64_t count, float scale, float ahead, int64_t last, int32_t* node, float* late) {
  const int32_t most = static_cast<int32_t>(last);
  for (int64_t i = 0; i < count; ++i) {
    const float place = time[i] * scale + ahead;
    const int32_t at = static_cast<int32_t>(place);
    node[i] = at < 0 ? 0 : at > most ? most : at;
    late[i] = place - static_cast<float>(node[i]);
  }
}

// Samples are taken by lanes.
void mean_clock(int64_t batch, int64_t n, int64_t slots, int64_t grid, const float* duration, const float* weight,
                  const float* strength, float* elapsed, float* slope, int32_t* slot, float* square, float* level) {
  float total = 0.0f;
  for (int64_t i = 0; i < n; ++i) total += weight[i];
  const float scale = static_cast<float>(grid), per_total = 1.0f / std::max(total, kTiny);
  const float per_scale = 1.0f / scale;
  std::vector<Vec> current(grid + 2), step(grid), reading(grid + 1), edge(slots + 1), sq(slots), lv(slots);
  std::vector<int32_t> node(n);
  std::vector<float> late(n), carried(n);
  for (int64_t first = 0; first < batch; first += kLanes) {
    const int64_t lanes = std::min<int64_t>(kLanes, batch - first);
    std::fill(current.begin(), current.end(), Vec{});
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const float* time = duration + (first + lane) * n;
      float* mine = reinterpret_cast<float*>(current.data() + 1) + lane;  // a place before the first node takes what
      find_nodes(time, n, scale, 0.5f, grid, node.data(), late.data());  // a row that ends there would add before it
      for (int64_t i = 0; i < n; ++i) carried[i] = time[i] > 0.0f ? weight[i] : 0.0f;
      for (int64_t i = 0; i < n; ++i) {
        float* at = mine + node[i] * kLanes;
        const float now = carried[i] * late[i];  // at the node itself, and by the sum below at all before it
        at[0] += now;
        at[-kLanes] += carried[i] - now;
      }
    }
    std::memmove(current.data(), current.data() + 1, (grid + 1) * sizeof(Vec));
    current[grid + 1] = Vec{};
    for (int64_t k = grid - 1; k >= 0; --k) current[k] += current[k + 1];
    for (int64_t k = 0; k <= grid; ++k) {
      const Vec p = current[k] * per_total;
      current[k] *= (((strength[4] * p + strength[3]) * p + strength[2]) * p + strength[1]) * p + strength[0];
    }
    reading[0] = Vec{};
    for (int64_t k = 0; k < grid; ++k) {
      step[k] = 0.5f * (current[k] + current[k + 1]);
      reading[k + 1] = reading[k] + step[k] * (1.0f / scale);
    }
    slots_of(slots, grid, step.data(), reading.data(), edge.data(), sq.data(), lv.data());
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const int64_t b = first + lane;
      const float* at_node = reinterpret_cast<const float*>(current.data()) + lane;
      const float* read_at = reinterpret_cast<const float*>(reading.data()) + lane;
      for (int64_t s = 0; s < slots; ++s) {
        square[b * slots + s] = sq[s][lane];
        level[b * slots + s] = lv[s][lane];
      }
      find_nodes(duration + b * n, n, scale, 0.0f, grid - 1, node.data(), late.data());
      for (int64_t i = 0; i < n; ++i) {
        const int64_t k = node[i] * kLanes;
        const float start = at_node[k], change = late[i] * (at_node[k + kLanes] - start);
        const float read = read_at[k] + late[i] * (start + 0.5f * change) * per_scale;
        slope[b * n + i] = start + change;
        if (slots == 1) {
          elapsed[b * n + i] = read;
          continue;
        }
        slot[b * n + i] = 0;
        for (int64_t s = 0; s < slots; ++s) {
          elapsed[(b * slots + s) * n + i] = std::max(std::min(read, edge[s + 1][lane]) - edge[s][lane], 0.0f);
          if (s > 0 && read > edge[s][lane]) slot[b * n + i] = static_cast<int32_t>(s);
        }
      }
    }
  }
}

}  // namespace

extern "C" {

// Clocks of tiles: see clock.py. Out: elapsed [tiles, batch, slots, n], slope and slot [tiles, batch, n], square and
// level [tiles, batch, slots].
int fg_mean_clock(int64_t tiles, int64_t batch, int64_t n, int64_t slots, int64_t grid, const float* duration,
                  const float* weight, const float* strength, float* elapsed, float* slope, int32_t* slot,
                  float* square, float* level) {
  const int64_t bn = batch * n, bs = batch * slots;
  for (int64_t t = 0; t < tiles; ++t)
    mean_clock(batch, n, slots, grid, duration + t * bn, weight + t * n, strength + t * 5, elapsed + t * bs * n,
               slope + t * bn, slot + t * bn, square + t * bs, level + t * bs);
  return 0;
}

// Charges that remain of `charge` [tiles, batch, m] after the drop: see drop.py; its derivative by the projection
// [tiles, batch, slots, m] takes the place of that.
int fg_remaining_charge(int64_t tiles, int64_t batch, int64_t slots, int64_t m, const float* square,
                        const float* level, const float* response, const float* curvature, const float* share,
                        float* charge, float* projection) {
  for (int64_t b = 0; b < tiles * batch; ++b) {
    float* q = charge + b * m;
    const int64_t tile = b / batch * m;
    const float *re = response + tile, *cu = curvature + tile, *sh = share + tile;
    for (int64_t s = 0; s < slots; ++s) {
      const float sq = square[b * slots + s], lv = level[b * slots + s];
      float* p = projection + (b * slots + s) * m;
      const float gain = lv / std::max(sq, kTiny), per_level = 1.0f / std::max(lv, kTiny);
      for (int64_t j = 0; j < m; ++j) {
        const float by = gain * re[j], z = p[j] * by, a = 2.0f * cu[j] * z, c = 1.0f + z;
        const float root = std::sqrt(c * c - a * z), left = 2.0f / (c + root);
        const float slope = -0.5f * left * left * (1.0f + (c - a) / root);
        q[j] -= sh[j] * p[j] * per_level * (1.0f - left);
        p[j] = sh[j] * per_level * (z * slope + left - 1.0f);
      }
    }
  }
  return 0;
}

}  // extern "C"
