// The loops for the instruction set of this name; CMakeLists.txt says with which options.
#define SUPERSTEP_ISA portable
#include "superstep/kernels/vector/make_table.h"
