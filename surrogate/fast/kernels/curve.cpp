// A smooth function of positive numbers by a table: see surrogate/fast/curve.py.

#include <limits>

#include "vectors.h"

extern "C" {

// Values and slopes at x [count]. A number's upper bits, less `first` and without the lower `shift` ones, are its place
// in the table [points, 2] of values and slopes, a grid of equal steps in each octave; beyond its ends the function
// stays the same.
int fg_curve(int64_t count, int64_t first, int64_t shift, int64_t points, const float* table, const float* x,
             float* value, float* slope) {
  const int32_t from = static_cast<int32_t>(first), last = static_cast<int32_t>(points) - 2;
  const int32_t low = (1 << shift) - 1;
  const float per_step = 1.0f / static_cast<float>(1 << shift);
  for (int64_t k = 0; k < count; ++k) {
    int32_t bits;
    std::memcpy(&bits, x + k, sizeof bits);
    const int32_t place = (bits >> shift) - from;
    const bool inside = place >= 0 && place <= last;
    const float* at = table + 2 * (place < 0 ? 0 : place > last ? last : place);
    const float late = inside ? static_cast<float>(bits & low) * per_step : place < 0 ? 0.0f : 1.0f;
    value[k] = x[k] > 0.0f ? at[0] + late * (at[2] - at[0]) : std::numeric_limits<float>::quiet_NaN();
    slope[k] = inside ? at[1] + late * (at[3] - at[1]) : 0.0f;
  }
  return 0;
}

}  // extern "C"
