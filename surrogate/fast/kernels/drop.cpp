// Bit-line drop: see surrogate/fast/drop.py.

#include "vectors.h"

extern "C" {

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

// The same for differences of column pairs, summed over the tiles: `charge` [batch, pairs], or none; `projection`
// [tiles, batch, slots, 2 x pairs] holds all positive, then all negative columns, and gives way to the derivative of
// the pair's charge by it.
int fg_remaining_pairs(int64_t tiles, int64_t batch, int64_t slots, int64_t pairs, const float* square,
                       const float* level, const float* response, const float* curvature, const float* share,
                       float* charge, float* projection) {
  const int64_t m = 2 * pairs;
  std::vector<float> lost(m);
  for (int64_t b = 0; b < tiles * batch; ++b) {
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
        lost[j] = sh[j] * p[j] * per_level * (1.0f - left);
        p[j] = sh[j] * per_level * (z * slope + left - 1.0f);
      }
      for (int64_t j = pairs; j < m; ++j) p[j] = -p[j];
      if (charge) {
        float* q = charge + b % batch * pairs;
        for (int64_t j = 0; j < pairs; ++j) q[j] -= lost[j] - lost[pairs + j];
      }
    }
  }
  return 0;
}

}  // extern "C"
