"""CUDA C++ sources of the fused steps: one kernel each, for `real` = float and = double.

Each computes what the body of the same name in `interface.py` says. The loop of `for_each` lets a
grid of any size serve n entries. Reading twice what one has written is safe, since an entry is
read and written by one thread only; so an array may be both input and output.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

REALS = {"float32": "float", "float64": "double"}

COMMON = """
typedef unsigned long long word;
typedef long long whole;

#define for_each(i, n) \\
    for (whole i = blockIdx.x * (whole)blockDim.x + threadIdx.x; i < (n); \\
         i += (whole)gridDim.x * blockDim.x)
"""

ACTIVATIONS = """
// y <- max(0, y + b), y being (E, N, d). A network's bias begins `bias_step` entries after the
// one before.
extern "C" __global__ void bias_relu(
    real* y, const real* bias, whole bias_step, whole entries_of_network, whole d, whole n)
{
    for_each(i, n) {
        real sum = y[i] + bias[i / entries_of_network * bias_step + i % d];
        y[i] = sum <= 0 ? real(0) : sum;    // a NaN stays one
    }
}

extern "C" __global__ void relu_backward(const real* dy, const real* y, real* dx, whole n)
{
    for_each(i, n) dx[i] = y[i] > 0 ? dy[i] : real(0);
}

#ifndef lanes
#define lanes 32    // threads of a warp
#endif

// One warp for each row of x (rows, d).
extern "C" __global__ void softmax(const real* x, real* y, int take_log, whole rows, whole d)
{
    const unsigned everyone = 0xffffffffu;
    whole lane = threadIdx.x % lanes, warps = (whole)gridDim.x * blockDim.x / lanes;
    whole warp = (blockIdx.x * (whole)blockDim.x + threadIdx.x) / lanes;
    for (whole row = warp; row < rows; row += warps) {
        const real* z = x + row * d;
        real largest = z[0], total = 0;
        for (whole j = lane; j < d; j += lanes) largest = fmax(largest, z[j]);
        for (int far = lanes / 2; far; far /= 2)
            largest = fmax(largest, __shfl_xor_sync(everyone, largest, far));
        for (whole j = lane; j < d; j += lanes) total += exp(z[j] - largest);
        for (int far = lanes / 2; far; far /= 2) total += __shfl_xor_sync(everyone, total, far);
        real log_total = log(total);
        for (whole j = lane; j < d; j += lanes) {
            real shifted = z[j] - largest;
            y[row * d + j] = take_log ? shifted - log_total : exp(shifted) / total;
        }
    }
}
"""

LOSSES = """
// The targets repeat after `targets_entries`: an ensemble's networks share them, or have their own.
// The n losses are followed by their n derivatives.
extern "C" __global__ void binary_cross_entropy(
    const real* logits, const real* targets, whole targets_entries, real* both, whole n)
{
    for_each(i, n) {
        real z = logits[i], t = targets[i % targets_entries];
        real small = exp(-fabs(z));
        both[i] = fmax(z, real(0)) + log1p(small) - t * z;
        both[n + i] = exp(fmin(z, real(0))) / (1 + small) - t;
    }
}
"""

OPTIMIZERS = """
// The number of network `net`, where bit `place` of `several` says that there is one for each.
#define number(array, place) array[several >> place & 1 ? net : 0]

extern "C" __global__ void sgd_step(
    real* p, const real* g, real* v, const real* rates, const real* momenta, const real* decays,
    int has_momentum, int nesterov, int has_decay, int several, whole parameters, whole n)
{
    for_each(i, n) {
        whole net = i / parameters;
        real mu = has_momentum ? number(momenta, 1) : real(0), direction = g[i];
        real decay = has_decay ? number(decays, 2) : real(0);
        if (decay != 0) direction += decay * p[i];
        if (has_momentum) {
            real velocity = v[i] = mu != 0 ? mu * v[i] + direction : real(0);
            if (mu != 0) direction = nesterov ? direction + mu * velocity : velocity;
        }
        p[i] -= number(rates, 0) * direction;
    }
}

extern "C" __global__ void adam_step(
    real* p, const real* g, real* m, real* v, const real* rates, const real* c1, const real* c2,
    const real* b1, const real* rest1, const real* b2, const real* rest2, const real* epsilons,
    const real* decays, int has_decay, int decoupled, int several, whole parameters, whole n)
{
    for_each(i, n) {
        whole net = i / parameters;
        real parameter = p[i], gradient = g[i], step = number(rates, 0);
        real decay = has_decay ? number(decays, 8) : real(0);
        if (decay != 0) {
            if (decoupled) parameter -= step * (decay * parameter);
            else gradient += decay * parameter;
        }
        real first = m[i] = number(b1, 3) * m[i] + number(rest1, 4) * gradient;
        real second = v[i] = number(b2, 5) * v[i] + number(rest2, 6) * (gradient * gradient);
        real root = sqrt(second / number(c2, 2)) + number(epsilons, 7);
        p[i] = parameter - step * (first / root / number(c1, 1));
    }
}
"""

RANDOM = """
// Widynski's generator, as Backend.random_bits writes it down.
__device__ word squares(word counter, word key)
{
    word start = counter * key, shifted = start + key, x = start;
    x = x * x + start;   x = (x >> 32) | (x << 32);
    x = x * x + shifted; x = (x >> 32) | (x << 32);
    x = x * x + start;   x = (x >> 32) | (x << 32);
    return (x * x + shifted) >> 32;
}

extern "C" __global__ void random_bits(
    const word* counters, const word* keys, whole counters_of_key, word* bits, whole n)
{
    for_each(i, n) bits[i] = squares(counters[i], keys[i / counters_of_key]);
}

extern "C" __global__ void dropout_mask(
    const word* counters, const word* keys, whole counters_of_key, const word* kept_from,
    const real* scale, whole counters_of_rate, real* mask, whole n)
{
    for_each(i, n) {
        word bits = squares(counters[i], keys[i / counters_of_key]);
        whole rate = i / counters_of_rate;
        mask[i] = bits >= kept_from[rate] ? scale[rate] : real(0);
    }
}
"""

CONVERSIONS = """
__device__ unsigned short to_fp16(float x)
{
    unsigned short y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
}

// The upper half of the bits, rounded to the nearest, ties to even; a NaN stays one.
__device__ unsigned short to_bf16(float x)
{
    unsigned bits = __float_as_uint(x);
    if (x != x) return (bits >> 16) | 0x40;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

// From matrices with gaps between their rows to the same without.
extern "C" __global__ void to_16_bits(
    const float* x, whole rows, whole columns, whole leading, whole step, int bfloat,
    unsigned short* y, whole n)
{
    for_each(i, n) {
        whole row = i / columns;
        float value = x[row / rows * step + row % rows * leading + i % columns];
        y[i] = bfloat ? to_bf16(value) : to_fp16(value);
    }
}
"""


def sources() -> dict[str, str]:
    """A complete source for each dtype; what is compiled is what runs."""
    body = COMMON + ACTIVATIONS + LOSSES + OPTIMIZERS + RANDOM + CONVERSIONS
    return {dtype: f"#define real {real}\n{body}" for dtype, real in REALS.items()}


COMPILER_OPTIONS = ("-std=c++17",)
THREADS = 256
MOST_BLOCKS = 2**16

TYPES = {"int": np.int32, "whole": np.int64, "word": np.uint64, "double": np.float64}
"""What the sources call a type, and what NumPy does; all other parameters are pointers."""


def parameter_types(source: str) -> dict[str, list[str]]:
    """For each kernel of a source, the type of each of its parameters, such as `const real*`."""
    declared = re.findall(r'extern "C" __global__ void (\w+)\(([^)]*)\)', source)
    return {
        name: [" ".join(each.split()[:-1]) for each in parameters.split(",")]
        for name, parameters in declared
    }


def typed(types: Sequence[str], arguments: Sequence[Any]) -> tuple[Any, ...]:
    """The arguments of a kernel, each number in the type that the source declares for it."""
    pairs = zip(types, arguments, strict=True)
    return tuple([TYPES[each](value) if each in TYPES else value for each, value in pairs])


class Kernels:
    """The kernels of one dtype, compiled for the current device; CuPy keeps them on disk."""

    def __init__(self, xp: Any, dtype: str) -> None:
        source = sources()[dtype]
        module = xp.RawModule(code=source, options=COMPILER_OPTIONS)
        self._types = parameter_types(source)
        self._functions = {name: module.get_function(name) for name in self._types}

    def launch(self, name: str, threads: int, *arguments: Any) -> None:
        """Start a kernel on that many threads, or fewer that then do more each."""
        if threads == 0:
            return
        blocks = min(-(-threads // THREADS), MOST_BLOCKS)
        self._functions[name]((blocks,), (THREADS,), typed(self._types[name], arguments))
