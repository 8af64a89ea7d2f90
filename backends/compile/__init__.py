"""A recorded step as one compiled function.

    classify   which calls compute point by point, which sum over the points, which do neither
    phases     what one loop over tiles of points can hold
    fuse       which calls share a loop
    loops, elementwise, whole, memory      the C++ of each loop
    assembly, source                       the loops one after another, as a function
    build      the system's compiler, and the cache of what it made
    step       the function, called for many steps at once

The same phases become a CUDA kernel, in which a block of threads or a cluster of them trains a
network:

    cuda_twins                            a step of a GPU, as arrays of the host that lie alike
    cuda_text, cuda_loops, cuda_whole     each loop, shared out among the threads
    cuda_memory, cuda_source              what lies in shared memory, the barriers, the kernel
    cuda_step                             its launch, for many steps at once

`vectors.h` holds what the C++ is built on, `kernel.cuh` what the kernel is. Matrix products of
every size are done by its loops: a whole step of 2-[256]*4-1 takes less time on a CPU than its
products alone by BLAS. Sums are added in a fixed order, so that the same step gives the same
bits each time; they are not the bits of the replayed calls, which add in another order and round
products and sums apart.
"""

from scratchnet.backends.compile.arrays import NotCompiled
from scratchnet.backends.compile.build import NoCompiler, compiler_available, find_compiler
from scratchnet.backends.compile.classify import with_plain_biases
from scratchnet.backends.compile.source import Program, write_program
from scratchnet.backends.compile.step import CompiledStep

__all__ = [
    "CompiledStep",
    "NoCompiler",
    "NotCompiled",
    "Program",
    "compiler_available",
    "find_compiler",
    "with_plain_biases",
    "write_program",
]
