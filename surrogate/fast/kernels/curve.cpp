// A smooth function of positive numbers by a table: see surrogate/fast/curve.py.

#include "curve.h"

extern "C" {

// Values and slopes at x [count].
int fg_curve(const Curve* curve, int64_t count, const float* x, float* value, float* slope) {
  const Curve kept = *curve;
  for (int64_t k = 0; k < count; ++k) curve_at(kept, x[k], value + k, slope + k);
  return 0;
}

}  // extern "C"
