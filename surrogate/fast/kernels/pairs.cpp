// Gradients of pairs' differences: see surrogate/fast/native_pairs.py.

#include "vectors.h"

extern "C" {

// Gradients `given` [count, pairs] as `turned` [pairs, width], zero beyond `count`, and their products `projection`
// [tiles, 2, pairs, width] with `slope`.
int fg_pair_projection(int64_t tiles, int64_t count, int64_t pairs, int64_t width, const float* given,
                       const float* slope, float* turned, float* projection) {
  constexpr int64_t kBlock = 16;
  for (int64_t p = 0; p < pairs; p += kBlock) {
    const int64_t some = std::min(kBlock, pairs - p);
    for (int64_t v = 0; v < count; v += kBlock)
      for (int64_t k = 0; k < some; ++k)
        for (int64_t u = v; u < std::min(v + kBlock, count); ++u) turned[(p + k) * width + u] = given[u * pairs + p + k];
    for (int64_t k = p; k < p + some; ++k) {
      const float* g = turned + k * width;
      std::fill(turned + k * width + count, turned + (k + 1) * width, 0.0f);
      for (int64_t t = 0; t < 2 * tiles; ++t) {
        const int64_t at = (t * pairs + k) * width;
        for (int64_t v = 0; v < width; v += kLanes) store(projection + at + v, load(slope + at + v) * load(g + v));
      }
    }
  }
  return 0;
}

}  // extern "C"
