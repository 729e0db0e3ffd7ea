#include "superstep/base/heap.h"

#include <malloc.h>

namespace superstep {

void keep_freed_memory() {
#ifdef M_MMAP_THRESHOLD  // glibc; a threshold that is set no longer moves
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
  mallopt(M_TOP_PAD, 1 << 20);
#endif
}

}  // namespace superstep
