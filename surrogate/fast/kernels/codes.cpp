// Inputs rounded to pulse widths: see surrogate/fast/codes.py.

#include "vectors.h"

extern "C" {

int fg_codes(int64_t count, const float* scale, const float* top, const float* x, float* code) {
  const float by = *scale, steps = *top;
  for (int64_t k = 0; k < count; ++k) {
    const float at = x[k] / by, inside = at < 0.0f ? 0.0f : at > 1.0f ? 1.0f : at;
    code[k] = std::rint(inside * steps) / steps;
  }
  return 0;
}

int fg_codes_backward(int64_t count, const float* scale, const float* x, const float* gradient, float* to_x) {
  const float by = *scale, times = 1.0f / by;
  for (int64_t k = 0; k < count; ++k) {
    const float at = x[k] / by;
    to_x[k] = at >= 0.0f && at <= 1.0f ? gradient[k] * times : 0.0f;
  }
  return 0;
}

}  // extern "C"
