// Pulses of sliding windows: see surrogate/fast/windows.py.

#include "vectors.h"

extern "C" {

// Images [.., channels, height, width] under a kernel [high, wide]; its rows lie on `tiles` of `rows` each.
struct Windows {
  int64_t height, width, channels, high, wide, down, right, down_apart, right_apart, out_high, out_wide, tiles, rows;
};

}  // extern "C"

namespace {

// VMMs whose windows lie side by side
struct Run {
  int64_t vmm, length, place;
};

std::vector<Run> runs_of(const Windows& w, int64_t first, int64_t count) {
  std::vector<Run> runs;
  for (int64_t v = first; v < first + count;) {
    const int64_t left = v % w.out_wide, top = v / w.out_wide % w.out_high, image = v / w.out_wide / w.out_high;
    const int64_t length = std::min(w.out_wide - left, first + count - v);
    const int64_t place = (image * w.channels * w.height + top * w.down) * w.width + left * w.right;
    runs.push_back({v - first, length, place});
    v += length;
  }
  return runs;
}

// calls with_row(row of all tiles, place of its pixel in the first window) for each row with an input
template <class WithRow>
void for_rows(const Windows& w, const WithRow& with_row) {
  int64_t row = 0;
  for (int64_t y = 0; y < w.high; ++y)
    for (int64_t x = 0; x < w.wide; ++x)
      for (int64_t c = 0; c < w.channels; ++c)
        with_row(row++, (c * w.height + y * w.down_apart) * w.width + x * w.right_apart);
}

}  // namespace

extern "C" {

// Pulses [tiles, rows, lanes] of `count` VMMs from `first` on; zero in rows and lanes without an input.
int fg_gather(const Windows* w, int64_t first, int64_t count, int64_t lanes, const float* image, float* pulse) {
  const std::vector<Run> runs = runs_of(*w, first, count);
  for_rows(*w, [&](int64_t row, int64_t place) {
    for (const Run& run : runs) {
      const float* from = image + place + run.place;
      float* to = pulse + row * lanes + run.vmm;
      if (w->right == 1)
        for (int64_t i = 0; i < run.length; ++i) to[i] = from[i];
      else
        for (int64_t i = 0; i < run.length; ++i) to[i] = from[i * w->right];
    }
    std::fill(pulse + row * lanes + count, pulse + (row + 1) * lanes, 0.0f);
  });
  const int64_t used = w->high * w->wide * w->channels;
  std::fill(pulse + used * lanes, pulse + w->tiles * w->rows * lanes, 0.0f);
  return 0;
}

// Adds gradients of pulses [tiles, rows, lanes] to those of the images.
int fg_scatter(const Windows* w, int64_t first, int64_t count, int64_t lanes, const float* to_pulse, float* to_image) {
  const std::vector<Run> runs = runs_of(*w, first, count);
  for_rows(*w, [&](int64_t row, int64_t place) {
    for (const Run& run : runs) {
      const float* from = to_pulse + row * lanes + run.vmm;
      float* to = to_image + place + run.place;
      if (w->right == 1)
        for (int64_t i = 0; i < run.length; ++i) to[i] += from[i];
      else
        for (int64_t i = 0; i < run.length; ++i) to[i * w->right] += from[i];
    }
  });
  return 0;
}

}  // extern "C"
