// How this process keeps memory that it has freed.
#pragma once

namespace superstep {

/// For a program to call first, since only it knows that the process is its own. With glibc:
/// - blocks of 1 MB and more get mappings of their own. Tensors of some MB live for a superstep and
///   go; glibc would soon take them from its heap, where what outlives them leaves holes (2.5 times
///   the memory on MNIST, and no faster);
/// - up to 32 MB that were freed stay with each heap. What the transport receives is as large as
///   that for a moment, and the kernel would clear the same pages again and again: transfers take
///   three fifths of the time (bench/RESULTS.md).
void keep_freed_memory();

}  // namespace superstep
