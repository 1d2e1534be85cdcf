// What the fused kernels share. Each kernel does what the function of the same name in Python does with torch: float32,
// no state, VMMs innermost and filled up to `width` (a multiple of kLanes) by idle ones, a plain C interface
// (surrogate/fast/native.py calls it), and returns 0, or 1 for sizes it lacks.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int kLanes = 8;
constexpr int64_t kBlock = 128;  // VMMs that are worked on together, so that all of their rows stay in the cache
constexpr int kLine = 2;  // vectors in a line of the cache
constexpr float kTiny = 1e-20f;

typedef float Vec __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

typedef int32_t IVec __attribute__((vector_size(4 * kLanes)));

inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
inline Vec min(Vec a, Vec b) { return a < b ? a : b; }
inline Vec max(Vec a, Vec b) { return a > b ? a : b; }
inline Vec sqrt(Vec a) {
  for (int k = 0; k < kLanes; ++k) a[k] = std::sqrt(a[k]);
  return a;
}

// of `values`, in each lane the one whose number are the lower three bits of `which`
inline Vec picked(Vec values, IVec which) { return __builtin_shuffle(values, which); }

}  // namespace
