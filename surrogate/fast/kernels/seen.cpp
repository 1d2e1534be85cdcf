// What current and drop see of pulses: surrogate.fast.native.Seen.

#include "clock.h"
#include "crosstalk.h"

extern "C" {

// What is the same for all tiles; of current and drop kernels [n, 16, Q] and changes [n, Q, 6, 8] by neighbours.
struct Seeing {
  int64_t tiles, n, width, slots, grid, terms, drop_terms;
  float edge_time;
  const float *kernel, *drop_kernel, *change, *drop_change;
};

}  // extern "C"

namespace {

constexpr int kMost = 5;
using Forward = decltype(&crosstalk_forward<1>);
using Backward = decltype(&crosstalk_backward<1>);
constexpr Forward kForward[kMost] = {crosstalk_forward<1>, crosstalk_forward<2>, crosstalk_forward<3>,
                                     crosstalk_forward<4>, crosstalk_forward<5>};
constexpr Backward kBackward[kMost] = {crosstalk_backward<1>, crosstalk_backward<2>, crosstalk_backward<3>,
                                       crosstalk_backward<4>, crosstalk_backward<5>};

bool known(const Seeing& s) {
  const bool products = s.terms > 0 && s.terms <= kMost && s.drop_terms > 0 && s.drop_terms <= kMost;
  return products && (s.slots > 1 || s.grid == 5 || s.grid == 15) && s.width % (kLine * kLanes) == 0;
}

// calls with_block(tile, first VMM, number of VMMs) for all blocks of all tiles
template <class WithBlock>
void for_blocks(const Seeing& s, const WithBlock& with_block) {
  for (int64_t t = 0; t < s.tiles; ++t)
    for (int64_t v = 0; v < s.width; v += kBlock) with_block(t, v, std::min(kBlock, s.width - v));
}

}  // namespace

extern "C" {

// All of Seen of pulses [tiles, n, width], by the mean columns' `weight` [tiles, n] and `strength` [tiles, 5].
int fg_seen(const Seeing* given, const float* pulse, const float* weight, const float* strength, float* elapsed,
            float* slope, int32_t* slot, float* square, float* level, float* steady, float* seen) {
  const Seeing s = *given;
  if (!known(s)) return 1;
  const int64_t nw = s.n * s.width, sw = s.slots * s.width;
  for_blocks(s, [&](int64_t t, int64_t v, int64_t lanes) {
    const float* time = pulse + t * nw + v;
    float* clock = elapsed + t * s.slots * nw + v;
    mean_clock(s.n, s.width, lanes, s.slots, s.grid, time, weight + t * s.n, strength + t * 5, clock,
               slope + t * nw + v, slot + t * nw + v, square + t * sw + v, level + t * sw + v);
    kForward[s.terms - 1](s.n, s.width, lanes, time, s.edge_time, s.kernel, steady + t * s.terms * nw + v);
    for (int64_t k = 0; k < s.slots; ++k)
      kForward[s.drop_terms - 1](s.n, s.width, lanes, clock + k * nw, 0.0f, s.drop_kernel,
                                 seen + (t * s.slots + k) * s.drop_terms * nw + v);
  });
  return 0;
}

// Gradient `to_pulse` to those pulses, of which it may take the place, from those to `steady` and `seen`.
int fg_pulses(const Seeing* given, const float* pulse, const float* elapsed, const float* slope, const int32_t* slot,
              const float* to_steady, const float* to_seen, float* to_pulse) {
  const Seeing s = *given;
  if (!known(s)) return 1;
  const int64_t nw = s.n * s.width, nb = s.n * kBlock;
  std::vector<float> to_elapsed(s.slots * nb);
  for_blocks(s, [&](int64_t t, int64_t v, int64_t lanes) {
    const int64_t at = t * nw + v;
    std::fill(to_elapsed.begin(), to_elapsed.end(), 0.0f);
    for (int64_t k = 0; k < s.slots; ++k)
      kBackward[s.drop_terms - 1](s.n, s.width, lanes, elapsed + (t * s.slots + k) * nw + v, 0.0f, s.drop_change,
                                  to_seen + (t * s.slots + k) * s.drop_terms * nw + v, &to_elapsed[k * nb]);
    float* to = to_elapsed.data();
    for (int64_t i = 0; i < s.n; ++i)
      for (int64_t u = 0; u < lanes; ++u) {
        const int64_t k = at + i * s.width + u, own = i * kBlock + u;
        to[own] = slope[k] * to[(s.slots > 1 ? slot[k] * nb : 0) + own];
      }
    kBackward[s.terms - 1](s.n, s.width, lanes, pulse + at, s.edge_time, s.change, to_steady + t * s.terms * nw + v,
                           to);
    for (int64_t i = 0; i < s.n; ++i) std::copy_n(to + i * kBlock, lanes, to_pulse + at + i * s.width);
  });
  return 0;
}

}  // extern "C"
