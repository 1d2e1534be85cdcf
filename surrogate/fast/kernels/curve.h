// A smooth function of positive numbers by a table: see surrogate/fast/curve.py.

#pragma once

#include <limits>

#include "vectors.h"

extern "C" {

// A number's upper bits, less `first` and without the lower `shift` ones, are its place in the table [points, 2] of
// values and slopes, a grid of equal steps in each octave; beyond its ends the function stays the same.
struct Curve {
  int64_t first, shift, points;
  const float* table;
};

}  // extern "C"

namespace {

inline void curve_at(const Curve& curve, float x, float* value, float* slope) {
  const int32_t last = static_cast<int32_t>(curve.points) - 2, low = (1 << curve.shift) - 1;
  int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const int32_t place = (bits >> curve.shift) - static_cast<int32_t>(curve.first);
  const bool inside = place >= 0 && place <= last;
  const float* at = curve.table + 2 * (place < 0 ? 0 : place > last ? last : place);
  const float per_step = 1.0f / static_cast<float>(1 << curve.shift);
  const float late = inside ? static_cast<float>(bits & low) * per_step : place < 0 ? 0.0f : 1.0f;
  *value = x > 0.0f ? at[0] + late * (at[2] - at[0]) : std::numeric_limits<float>::quiet_NaN();
  *slope = inside ? at[1] + late * (at[3] - at[1]) : 0.0f;
}

}  // namespace
