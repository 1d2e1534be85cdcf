// Pages of memory: see surrogate/fast/rooms.py.

#include <sys/mman.h>

#include "vectors.h"

extern "C" {

// Asks the system for large pages in `bytes` of memory; whether it gives them changes nothing but speed.
int fg_large_pages(int64_t bytes, const float* memory) {
#ifdef MADV_HUGEPAGE
  constexpr uintptr_t kPage = 4096;
  const uintptr_t from = (reinterpret_cast<uintptr_t>(memory) + kPage - 1) / kPage * kPage;
  const uintptr_t to = (reinterpret_cast<uintptr_t>(memory) + static_cast<uintptr_t>(bytes)) / kPage * kPage;
  if (to > from) madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
#endif
  return 0;
}

}  // extern "C"
