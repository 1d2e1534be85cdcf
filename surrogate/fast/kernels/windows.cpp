// Pulses of sliding windows: see surrogate/fast/windows.py.

#include "vectors.h"

extern "C" {

// Images [.., height, width, channels] under a kernel [high, wide]; its rows lie on tiles of `rows` each.
struct Windows {
  int64_t height, width, channels, high, wide, down, right, down_apart, right_apart, out_high, out_wide, rows;
};

}  // extern "C"

namespace {

// calls piece(offset in the image, tile, row, length) for each run of rows that are neighbours in image and tile
template <class Piece>
void for_pieces(const Windows& w, int64_t vmm, const Piece& piece) {
  const int64_t per_image = w.out_high * w.out_wide, image = vmm / per_image, at = vmm % per_image;
  const int64_t top = at / w.out_wide * w.down, left = at % w.out_wide * w.right;
  const int64_t run = w.right_apart == 1 ? w.wide * w.channels : w.channels;
  const int64_t runs = w.right_apart == 1 ? 1 : w.wide;
  int64_t tile = 0, row = 0;
  for (int64_t y = 0; y < w.high; ++y)
    for (int64_t x = 0; x < runs; ++x) {
      int64_t from = ((image * w.height + top + y * w.down_apart) * w.width + left + x * w.right_apart) * w.channels;
      for (int64_t left_over = run; left_over > 0;) {
        const int64_t length = std::min(left_over, w.rows - row);
        piece(from, tile, row, length);
        from += length, left_over -= length, row += length;
        if (row == w.rows) row = 0, ++tile;
      }
    }
}

}  // namespace

extern "C" {

// Pulses [tiles, count, rows] of the VMMs from `first` on; rows without an input must be zero before.
int fg_gather(const Windows* w, int64_t first, int64_t count, const float* image, float* pulse) {
  for (int64_t v = 0; v < count; ++v)
    for_pieces(*w, first + v, [&](int64_t from, int64_t tile, int64_t row, int64_t length) {
      std::memcpy(pulse + (tile * count + v) * w->rows + row, image + from, length * sizeof(float));
    });
  return 0;
}

// Adds gradients of pulses [tiles, count, rows] to those of the images.
int fg_scatter(const Windows* w, int64_t first, int64_t count, const float* to_pulse, float* to_image) {
  for (int64_t v = 0; v < count; ++v)
    for_pieces(*w, first + v, [&](int64_t from, int64_t tile, int64_t row, int64_t length) {
      const float* g = to_pulse + (tile * count + v) * w->rows + row;
      for (int64_t i = 0; i < length; ++i) to_image[from + i] += g[i];
    });
  return 0;
}

}  // extern "C"
