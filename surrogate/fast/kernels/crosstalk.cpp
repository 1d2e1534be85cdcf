// Crosstalk by minima: see surrogate/fast/crosstalk.py.

#include "vectors.h"

namespace {

constexpr int kReach = 2;
constexpr int kOffsets[4] = {-2, -1, 1, 2};
constexpr int kAround = 2 * kReach + 1;

constexpr float kNever = 1e30f;

// Pulses of a row and its neighbours, less the time that they lose at their start: the rows of a tile, one by one.
class Started {
 public:
  Started(const float* time, int64_t n, int64_t width, float lost)
      : time_(time), n_(n), width_(width), lost_(lost), kept_(kAround * width) {
    for (int64_t i = -kReach; i < kReach; ++i) take(i);
  }

  // moves on to row i, of which `at` gives the pulse of the row at i + offset
  void to_row(int64_t i) {
    take(i + kReach);
    for (int64_t o = -kReach; o <= kReach; ++o) at_[o + kReach] = place(i + o);
  }
  const float* at(int offset) const { return at_[offset + kReach]; }

 private:
  float* place(int64_t i) { return &kept_[(i + kReach) % kAround * width_]; }
  void take(int64_t i) {
    float* to = place(i);
    if (i < 0 || i >= n_) {
      std::fill(to, to + width_, 0.0f);
      return;
    }
    const float* from = time_ + i * width_;
    for (int64_t v = 0; v < width_; ++v) to[v] = from[v] > 0.0f ? from[v] - lost_ : 0.0f;
  }

  const float* time_;
  int64_t n_, width_;
  float lost_;
  std::vector<float> kept_;
  const float* at_[kAround];
};

// the row's own pulse, which loses time at its end, too, and those of its neighbours that are shorter
struct Row {
  Vec own, neighbour[4];
  Row(const Started& pulses, int64_t v, Vec lost) {
    const Vec zero{}, never = zero + kNever, started = load(pulses.at(0) + v);
    for (int k = 0; k < 4; ++k) {
      const Vec other = load(pulses.at(kOffsets[k]) + v);
      neighbour[k] = other < started ? other : never;
    }
    own = started == zero ? zero : started - lost;
  }
};

template <int Q>
void crosstalk_forward(int64_t n, int64_t width, const float* time, float lost, const float* kernel, float* out) {
  Started pulses(time, n, width, lost);
  const Vec once = Vec{} + lost;
  for (int64_t i = 0; i < n; ++i) {
    pulses.to_row(i);
    Vec t[16 * Q];
    for (int c = 0; c < 16 * Q; ++c) t[c] = Vec{} + kernel[i * 16 * Q + c];
    for (int64_t v = 0; v < width; v += kLanes) {
      const Row row(pulses, v, once);
      Vec m[8], low[Q], high[Q];
      m[0] = row.own;
      for (int k = 0; k < 3; ++k)
        for (int c = 0; c < 1 << k; ++c) m[c | 1 << k] = min(m[c], row.neighbour[k]);
      for (int c = 0; c < 8; ++c) {
        const Vec last = min(m[c], row.neighbour[3]);
        for (int q = 0; q < Q; ++q) {
          low[q] = c ? low[q] + m[c] * t[c * Q + q] : m[c] * t[c * Q + q];
          high[q] = c ? high[q] + last * t[(c + 8) * Q + q] : last * t[(c + 8) * Q + q];
        }
      }
      for (int q = 0; q < Q; ++q) store(out + (q * n + i) * width + v, low[q] + high[q]);
    }
  }
}

template <int Q>
void crosstalk_backward(int64_t n, int64_t width, const float* time, float lost, const float* kernel,
                        const float* gradient, float* to_time) {
  Started pulses(time, n, width, lost);
  std::vector<float> outside(width);
  const Vec zero{}, once = zero + lost;
  for (int64_t i = 0; i < n; ++i) {
    pulses.to_row(i);
    Vec t[16 * Q];
    for (int c = 0; c < 16 * Q; ++c) t[c] = zero + kernel[i * 16 * Q + c];
    float* to[4];
    for (int k = 0; k < 4; ++k) {
      const int64_t other = i + kOffsets[k];
      to[k] = other < 0 || other >= n ? outside.data() : to_time + other * width;
    }
    float* own = to_time + i * width;
    for (int64_t v = 0; v < width; v += kLanes) {
      const Row row(pulses, v, once);
      Vec m[8], g[8], in[Q], away = zero;
      for (int q = 0; q < Q; ++q) in[q] = load(gradient + (q * n + i) * width + v);
      const auto by = [&](int c) {
        Vec sum = in[0] * t[c * Q];
        for (int q = 1; q < Q; ++q) sum += in[q] * t[c * Q + q];
        return sum;
      };
      m[0] = row.own;
      for (int k = 0; k < 3; ++k)
        for (int c = 0; c < 1 << k; ++c) m[c | 1 << k] = min(m[c], row.neighbour[k]);
      for (int c = 0; c < 8; ++c) {
        const Vec last = by(c + 8);
        const auto mine = m[c] <= row.neighbour[3];
        g[c] = by(c) + (mine ? last : zero);
        away += mine ? zero : last;
      }
      store(to[3] + v, load(to[3] + v) + away);
      for (int k = 2; k >= 0; --k) {
        away = zero;
        for (int c = 0; c < 1 << k; ++c) {
          const auto mine = m[c] <= row.neighbour[k];
          g[c] += mine ? g[c | 1 << k] : zero;
          away += mine ? zero : g[c | 1 << k];
        }
        store(to[k] + v, load(to[k] + v) + away);
      }
      store(own + v, load(own + v) + g[0]);
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

// Features [tiles, Q, n, width] of pulses `time` [tiles, n, width]: see crosstalk.py. `kernel` is [n, 16, Q].
int fg_crosstalk_forward(int64_t tiles, int64_t n, int64_t width, int64_t q, const float* time, const float* lost,
                         const float* kernel, float* out) {
  const int64_t nw = n * width;
  for (int64_t k = 0; k < tiles; ++k) {
#define FG_CALL(Q) crosstalk_forward<Q>(n, width, time + k * nw, *lost, kernel, out + k * Q * nw)
    FG_FOR_PRODUCTS(FG_CALL)
#undef FG_CALL
  }
  return 0;
}

int fg_crosstalk_backward(int64_t tiles, int64_t n, int64_t width, int64_t q, const float* time, const float* lost,
                          const float* kernel, const float* gradient, float* to_time) {  // adds to to_time
  const int64_t nw = n * width;
  for (int64_t k = 0; k < tiles; ++k) {
#define FG_CALL(Q) \
  crosstalk_backward<Q>(n, width, time + k * nw, *lost, kernel, gradient + k * Q * nw, to_time + k * nw)
    FG_FOR_PRODUCTS(FG_CALL)
#undef FG_CALL
  }
  return 0;
}

}  // extern "C"
