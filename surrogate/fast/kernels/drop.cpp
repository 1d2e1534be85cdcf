// Bit-line drop: see surrogate/fast/drop.py.

#include "vectors.h"

extern "C" {

// What remains of charges after the drop: see drop.py. `projection` [tiles, slots, columns, width] gives way to the
// derivative of the charges by it. `charge` [tiles or 1, columns or half as many, width] holds a row for each column
// (`sides` 1), or the differences of pairs (`sides` 2: all positive columns come before all negative ones), and of each
// tile, or the sum of all `together`.
int fg_remaining_charge(int64_t tiles, int64_t width, int64_t slots, int64_t columns, int64_t sides, int64_t together,
                        const float* square, const float* level, const float* response, const float* curvature,
                        const float* share, float* charge, float* projection) {
  const int64_t rows = columns / sides;
  std::vector<float> gain(width), per_level(width);
  for (int64_t t = 0; t < tiles; ++t)
    for (int64_t s = 0; s < slots; ++s) {
      const int64_t at = t * slots + s;
      for (int64_t v = 0; v < width; ++v) {
        gain[v] = level[at * width + v] / std::max(square[at * width + v], kTiny);
        per_level[v] = 1.0f / std::max(level[at * width + v], kTiny);
      }
      for (int64_t j = 0; j < columns; ++j) {
        const float by = response[t * columns + j], twice = 2.0f * curvature[t * columns + j];
        const float weight = j < rows ? share[t * columns + j] : -share[t * columns + j];
        float *q = charge + ((together ? 0 : t * rows) + j % rows) * width, *p = projection + (at * columns + j) * width;
        for (int64_t v = 0; v < width; v += kLanes) {
          const Vec projected = load(p + v), z = projected * (load(&gain[v]) * by), a = twice * z, c = 1.0f + z;
          const Vec root = sqrt(c * c - a * z), left = 2.0f / (c + root), counts = weight * load(&per_level[v]);
          const Vec slope = -0.5f * left * left * (1.0f + (c - a) / root);
          store(q + v, load(q + v) - counts * projected * (1.0f - left));
          store(p + v, counts * (z * slope + left - 1.0f));
        }
      }
    }
  return 0;
}

}  // extern "C"
