// The clock of the mean column: see surrogate/fast/clock.py.

#pragma once

#include "vectors.h"

namespace {

// the current of the mean column where `share` of its rows are active, less that share itself
inline Vec growth(const float* strength, Vec share) {
  return (((strength[4] * share + strength[3]) * share + strength[2]) * share + strength[1]) * share + strength[0];
}

// Slots of equal charge: their edges on the clock, ∫c² dt and ∫c³ dt / ∫c² dt.
void slots_of(int64_t slots, int64_t grid, const Vec* step, const Vec* reading, Vec* edge, Vec* square, Vec* level) {
  const float scale = static_cast<float>(grid);
  std::fill(edge, edge + slots + 1, Vec{});
  std::fill(square, square + slots, Vec{});
  std::fill(level, level + slots, Vec{});
  for (int64_t k = 0; k < grid; ++k)
    for (int lane = 0; lane < kLanes; ++lane) {
      const float charge = step[k][lane] / scale, middle = reading[k][lane] + 0.5f * charge;
      const float at = middle * static_cast<float>(slots) / std::max(reading[grid][lane], kTiny);
      const int64_t s = std::min<int64_t>(static_cast<int64_t>(at), slots - 1);
      edge[s + 1][lane] += charge;
      square[s][lane] += step[k][lane] * charge;
      level[s][lane] += step[k][lane] * step[k][lane] * charge;
    }
  for (int64_t s = 0; s < slots; ++s) edge[s + 1] += edge[s];
  for (int64_t s = 0; s < slots; ++s) level[s] /= max(square[s], Vec{} + kTiny);
}

// Several slots on a fine grid: kLanes VMMs.
void fine_clock(int64_t n, int64_t width, int64_t slots, int64_t grid, const float* duration, const float* weight,
                float per_total, const float* strength, float* elapsed, float* slope, int32_t* slot, float* square,
                float* level) {
  const float scale = static_cast<float>(grid), length = 1.0f / scale;
  std::vector<Vec> current(grid + 2, Vec{}), step(grid), reading(grid + 1), edge(slots + 1), sq(slots), lv(slots);
  for (int64_t i = 0; i < n; ++i)
    for (int lane = 0; lane < kLanes; ++lane) {
      const float time = duration[i * width + lane], place = time * scale + 0.5f;
      const int64_t node = std::min(static_cast<int64_t>(place), grid);
      const float carried = time > 0.0f ? weight[i] : 0.0f, now = carried * (place - static_cast<float>(node));
      current[node + 1][lane] += now;  // at the node itself, and by the sum below at all before it
      current[node][lane] += carried - now;  // a place before the first node takes what would be added before it
    }
  for (int64_t k = 0; k <= grid; ++k) current[k] = current[k + 1];
  current[grid + 1] = Vec{};
  for (int64_t k = grid - 1; k >= 0; --k) current[k] += current[k + 1];
  for (int64_t k = 0; k <= grid; ++k) current[k] *= growth(strength, current[k] * per_total);
  reading[0] = Vec{};
  for (int64_t k = 0; k < grid; ++k) {
    step[k] = 0.5f * (current[k] + current[k + 1]);
    reading[k + 1] = reading[k] + step[k] * length;
  }
  slots_of(slots, grid, step.data(), reading.data(), edge.data(), sq.data(), lv.data());
  for (int64_t s = 0; s < slots; ++s) {
    store(square + s * width, sq[s]);
    store(level + s * width, lv[s]);
  }
  for (int64_t i = 0; i < n; ++i)
    for (int lane = 0; lane < kLanes; ++lane) {
      const int64_t at = i * width + lane;
      const float place = duration[at] * scale;
      const int64_t node = std::min(static_cast<int64_t>(place), grid - 1);
      const float late = place - static_cast<float>(node), start = current[node][lane];
      const float change = late * (current[node + 1][lane] - start);
      const float read = reading[node][lane] + late * (start + 0.5f * change) * length;
      slope[at] = start + change;
      slot[at] = 0;
      for (int64_t s = 0; s < slots; ++s) {
        elapsed[s * n * width + at] = std::max(std::min(read, edge[s + 1][lane]) - edge[s][lane], 0.0f);
        if (s > 0 && read > edge[s][lane]) slot[at] = static_cast<int32_t>(s);
      }
    }
}

// One slot on a grid of G steps: kLine · kLanes VMMs, as rows lie far apart and come by lines of the cache.
template <int G>
void coarse_clock(int64_t n, int64_t width, const float* duration, const float* weight, float per_total,
                  const float* strength, float* elapsed, float* slope, float* square, float* level) {
  const Vec zero{}, one = zero + 1.0f;
  const float scale = static_cast<float>(G), length = 1.0f / scale;
  Vec current[kLine][G + 1] = {}, change[kLine][G];
  for (int64_t i = 0; i < n; ++i)
    for (int b = 0; b < kLine; ++b) {
      const Vec time = load(duration + i * width + b * kLanes), w = time > zero ? zero + weight[i] : zero;
      const Vec place = time * scale + 0.5f;
      for (int k = 0; k <= G; ++k) current[b][k] += w * max(min(place - static_cast<float>(k), one), zero);
    }
  for (int b = 0; b < kLine; ++b) {
    for (Vec& some : current[b]) some *= growth(strength, some * per_total);
    Vec two = zero, three = zero;
    for (int k = 0; k < G; ++k) {
      const Vec step = 0.5f * (current[b][k] + current[b][k + 1]), squared = step * step * length;
      change[b][k] = current[b][k + 1] - current[b][k];
      two += squared, three += step * squared;
    }
    store(square + b * kLanes, two);
    store(level + b * kLanes, three / max(two, zero + kTiny));
  }
  for (int64_t i = 0; i < n; ++i)
    for (int b = 0; b < kLine; ++b) {
      const int64_t at = i * width + b * kLanes;
      const Vec place = load(duration + at) * scale;
      Vec read = zero, steep = current[b][0];
      for (int k = 0; k < G; ++k) {
        const Vec beyond = place - static_cast<float>(k), late = max(k + 1 < G ? min(beyond, one) : beyond, zero);
        const Vec rise = late * change[b][k];
        read += late * (current[b][k] + 0.5f * rise);
        steep += rise;
      }
      store(elapsed + at, read * length);
      store(slope + at, steep);
    }
}

// Clocks of a block of `lanes` VMMs, durations [n, width]. Out: elapsed [slots, n, width], slope and slot [n, width],
// square and level [slots, width]. `grid` is 5 or 15 for one slot; then lanes must be a multiple of kLine · kLanes.
void mean_clock(int64_t n, int64_t width, int64_t lanes, int64_t slots, int64_t grid, const float* duration,
                const float* weight, const float* strength, float* elapsed, float* slope, int32_t* slot, float* square,
                float* level) {
  float total = 0.0f;
  for (int64_t i = 0; i < n; ++i) total += weight[i];
  const float per_total = 1.0f / std::max(total, kTiny);
  for (int64_t v = 0; v < lanes; v += slots > 1 ? kLanes : kLine * kLanes) {
    const float* time = duration + v;
    float *e = elapsed + v, *by = slope + v, *sq = square + v, *lv = level + v;
    if (slots > 1) fine_clock(n, width, slots, grid, time, weight, per_total, strength, e, by, slot + v, sq, lv);
    else (grid == 5 ? coarse_clock<5> : coarse_clock<15>)(n, width, time, weight, per_total, strength, e, by, sq, lv);
  }
}

}  // namespace
