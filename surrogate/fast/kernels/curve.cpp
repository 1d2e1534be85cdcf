// A smooth function of positive numbers by a table: see surrogate/fast/curve.py.

#include <limits>

#include "vectors.h"

extern "C" {

// Values and slopes at x [count]. A number's upper bits, less `first` and without the lower `shift` ones, are its place
// in the table [points + 1], which is a grid of equal steps in each octave; beyond its ends the function stays the same.
int fg_curve(int64_t count, int64_t first, int64_t shift, int64_t points, const float* table, const float* x,
             float* value, float* slope) {
  const int32_t from = static_cast<int32_t>(first), last = static_cast<int32_t>(points) - 1;
  const int32_t low = (1 << shift) - 1;
  const float per_step = 1.0f / static_cast<float>(1 << shift);
  for (int64_t k = 0; k < count; ++k) {
    int32_t bits;
    std::memcpy(&bits, x + k, sizeof bits);
    const int32_t place = (bits >> shift) - from, at = place < 0 ? 0 : place > last ? last : place;
    const float late = place < 0 ? 0.0f : place > last ? 1.0f : static_cast<float>(bits & low) * per_step;
    const float start = table[at], change = table[at + 1] - start;
    const int32_t octave = (at + from) << shift & 0x7f800000;
    float size;
    std::memcpy(&size, &octave, sizeof size);
    const float steps = static_cast<float>(1 << (23 - shift)) / size;
    value[k] = x[k] > 0.0f ? start + late * change : std::numeric_limits<float>::quiet_NaN();
    slope[k] = place < 0 || place > last ? 0.0f : change * steps;
  }
  return 0;
}

}  // extern "C"
