// Crosstalk by minima: see surrogate/fast/crosstalk.py.

#pragma once

#include "vectors.h"

namespace {

constexpr int kReach = 2;
constexpr int kOffsets[4] = {-2, -1, 1, 2};
constexpr int kAround = 2 * kReach + 1;

constexpr float kNever = 1e30f;

// Pulses of a row and its neighbours in a block of VMMs, less the time that they lose at their start: the n rows of a
// tile, `apart` from each other, one by one.
class Started {
 public:
  Started(const float* time, int64_t n, int64_t apart, int64_t lanes, float lost)
      : time_(time), n_(n), apart_(apart), lanes_(lanes), lost_(lost) {
    for (int64_t i = -kReach; i < kReach; ++i) take(i);
  }

  // moves on to row i, of which `at` gives the pulse of the row at i + offset
  void to_row(int64_t i) {
    take(i + kReach);
    for (int64_t o = -kReach; o <= kReach; ++o) at_[o + kReach] = place(i + o);
  }
  const float* at(int offset) const { return at_[offset + kReach]; }

 private:
  float* place(int64_t i) { return kept_ + (i + kReach) % kAround * kBlock; }
  void take(int64_t i) {
    float* to = place(i);
    if (i < 0 || i >= n_) {
      std::fill(to, to + lanes_, 0.0f);
      return;
    }
    const float* from = time_ + i * apart_;
    if (i + 2 < n_)
      for (int64_t v = 0; v < lanes_; v += kLine * kLanes) __builtin_prefetch(from + 2 * apart_ + v);
    for (int64_t v = 0; v < lanes_; ++v) to[v] = from[v] > 0.0f ? from[v] - lost_ : 0.0f;
  }

  const float* time_;
  int64_t n_, apart_, lanes_;
  float lost_, kept_[kAround * kBlock];
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

// Features `out` [Q, n, apart] of a block of `lanes` VMMs with pulses `time` [n, apart]; `kernel` is [n, 16, Q].
template <int Q>
void crosstalk_forward(int64_t n, int64_t apart, int64_t lanes, const float* time, float lost, const float* kernel,
                       float* out) {
  Started pulses(time, n, apart, lanes, lost);
  const Vec once = Vec{} + lost;
  for (int64_t i = 0; i < n; ++i) {
    pulses.to_row(i);
    Vec t[16 * Q];
    for (int c = 0; c < 16 * Q; ++c) t[c] = Vec{} + kernel[i * 16 * Q + c];
    for (int64_t v = 0; v < lanes; v += kLanes) {
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
      for (int q = 0; q < Q; ++q) store(out + (q * n + i) * apart + v, low[q] + high[q]);
    }
  }
}

// A row's features are sums of pulses that end one after the other, each times how much less the row's current is after
// its end: the gradient is that of the pattern just before, looked up in eight patterns of the other neighbours.
struct Patterns {
  IVec ends[4], beside[4], at_end;  // ends before the row itself; who else is active then; who is at the row's own end
  explicit Patterns(const Row& row) {
    IVec outlasts[4][4];  // of pulses that end together the earlier neighbour's counts as the shorter one
    for (int k = 0; k < 4; ++k)
      for (int m = 0; m < k; ++m) {
        outlasts[m][k] = row.neighbour[m] > row.neighbour[k];
        outlasts[k][m] = ~outlasts[m][k];
      }
    at_end = IVec{};
    for (int k = 0; k < 4; ++k) {
      ends[k] = row.neighbour[k] < row.own;
      at_end |= ~ends[k] & (1 << k);
      beside[k] = IVec{};
      for (int m = 0; m < 4; ++m)
        if (m != k) beside[k] |= outlasts[m][k] & (1 << (m < k ? m : m - 1));
    }
  }
};

// Adds to the gradient `to_time` [n, kBlock] of those pulses what comes of that to the features; `change` is
// [n, Q, 6, 8]: by how much each neighbour raises g in the eight patterns of the others, and g in all sixteen.
template <int Q>
void crosstalk_backward(int64_t n, int64_t apart, int64_t lanes, const float* time, float lost, const float* change,
                        const float* gradient, float* to_time) {
  Started pulses(time, n, apart, lanes, lost);
  float outside[kBlock] = {};
  const Vec zero{}, once = zero + lost;
  for (int64_t i = 0; i < n; ++i) {
    pulses.to_row(i);
    Vec table[Q][6];
    for (int q = 0; q < Q; ++q)
      for (int k = 0; k < 6; ++k) table[q][k] = load(change + ((i * Q + q) * 6 + k) * kLanes);
    float* to[4];
    for (int k = 0; k < 4; ++k) {
      const int64_t other = i + kOffsets[k];
      to[k] = other < 0 || other >= n ? outside : to_time + other * kBlock;
    }
    float* own = to_time + i * kBlock;
    const float* given = gradient + i * apart;
    if (i + 2 < n)
      for (int q = 0; q < Q; ++q)
        for (int64_t v = 0; v < lanes; v += kLine * kLanes) __builtin_prefetch(given + (q * n + 2) * apart + v);
    for (int64_t v = 0; v < lanes; v += kLanes) {
      const Row row(pulses, v, once);
      const Patterns at(row);
      Vec by[4] = {}, mine{};
      for (int q = 0; q < Q; ++q) {
        const Vec in = load(given + q * n * apart + v);
        for (int k = 0; k < 4; ++k) by[k] += in * picked(table[q][k], at.beside[k]);
        mine += in * ((at.at_end & 8) != 0 ? picked(table[q][5], at.at_end) : picked(table[q][4], at.at_end));
      }
      for (int k = 0; k < 4; ++k) store(to[k] + v, load(to[k] + v) + (at.ends[k] ? by[k] : zero));
      store(own + v, load(own + v) + mine);
    }
  }
}

}  // namespace
