// Crosstalk by minima: see surrogate/fast/crosstalk.py.

#include "vectors.h"

namespace {

constexpr int kReach = 2;
constexpr int kOffsets[4] = {-2, -1, 1, 2};

int64_t padded(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// samples that are worked on together, so that what is between the steps stays in the cache
constexpr int64_t kChunk = 16;

constexpr float kNever = 1e30f;

// pulses [count, n] less the time that they lose at their start, into rows [count, width] from place kReach on
void started(const float* time, float lost, int64_t count, int64_t n, int64_t width, float* out) {
  for (int64_t k = 0; k < count; ++k)
    for (int64_t i = 0; i < n; ++i) {
      const float t = time[k * n + i];
      out[k * width + kReach + i] = t > 0.0f ? t - lost : 0.0f;
    }
}

// minima [16] over the subsets of the four neighbours that are shorter than the row's own pulse at `row`, which loses
// time at its end, too
inline void minima(const float* row, Vec lost, Vec* m, Vec* neighbour) {
  const Vec zero{}, never = zero + kNever, own = load(row);
  m[0] = own == zero ? zero : own - lost;
  for (int k = 0; k < 4; ++k) {
    const Vec other = load(row + kOffsets[k]);
    neighbour[k] = other < own ? other : never;
    for (int c = 0; c < 1 << k; ++c) m[c | 1 << k] = min(m[c], neighbour[k]);
  }
}

template <int Q>
void crosstalk_forward(int64_t batch, int64_t n, const float* time, float lost, const float* kernel, float* out) {
  const int64_t np = padded(n), width = np + 2 * kReach;
  const Vec once = Vec{} + lost;
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t valid = std::min<int64_t>(kLanes, n - i);
    Vec t[16 * Q];
    for (int c = 0; c < 16 * Q; ++c) t[c] = load(kernel + c * np + i);
    for (int64_t b = 0; b < batch; ++b) {
      const float* row = time + b * width + i + kReach;
      Vec m[16], neighbour[4];
      minima(row, once, m, neighbour);
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
  const Vec zero{}, once = zero + lost;
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t valid = std::min<int64_t>(kLanes, n - i);
    Vec t[16 * Q];
    for (int c = 0; c < 16 * Q; ++c) t[c] = load(kernel + c * np + i);
    for (int64_t b = 0; b < batch; ++b) {
      const float* row = time + b * width + i + kReach;
      Vec m[16], neighbour[4], g[16], in[Q];
      minima(row, once, m, neighbour);
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
          const auto mine = m[c] <= neighbour[k];
          g[c] += mine ? g[c | 1 << k] : zero;
          away += mine ? zero : g[c | 1 << k];
        }
        store(to + (k + 1) * all, away);
      }
      store(to, g[0]);
    }
  }
}

}  // namespace

extern "C" {

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
    started(time + b * n, *lost, chunk, n, width, around.data());
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
    started(time + b * n, *lost, chunk, n, width, around.data());
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

}  // extern "C"
