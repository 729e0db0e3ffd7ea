// Loops compiled for several instruction sets, chosen when the program starts:
//
//   SUPERSTEP_CLONES void add(const double* from, double* to, size_t n) { ... }
//
// For plain arithmetic in loops that the compiler vectorises. Every set does it alike, since
// contraction is off (cmake/superstep_folder.cmake), so the bits are the same. Limits: gcc on
// x86-64 alone; elsewhere one copy. The choice runs before a thread sanitizer has started, which
// that one does not bear.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define SUPERSTEP_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SUPERSTEP_CLONES
#endif
