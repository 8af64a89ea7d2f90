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

from scratchnet.backends.cuda_sums import NORMALIZATION, PRODUCTS, SUMS

REALS = {"float32": "float", "float64": "double"}

COMMON = """
typedef unsigned long long word;
typedef long long whole;

#define for_each(i, n) \\
    for (whole i = blockIdx.x * (whole)blockDim.x + threadIdx.x; i < (n); \\
         i += (whole)gridDim.x * blockDim.x)
"""

ACTIVATIONS = """
// y = x g + b or, with `relu`, max(0, x g + b), both being (E, N, d); without a gain g is 1. A
// network's rows g and b begin `gain_step` and `bias_step` entries after those of the one before.
extern "C" __global__ void scale_shift(
    const real* x, const real* gain, const real* bias, int has_gain, int relu, real* y,
    whole gain_step, whole bias_step, whole entries_of_network, whole d, whole n)
{
    for_each(i, n) {
        whole net = i / entries_of_network, j = i % d;
        real scaled = has_gain ? times(x[i], gain[net * gain_step + j]) : x[i];
        real sum = scaled + bias[net * bias_step + j];
        y[i] = relu && sum <= 0 ? real(0) : sum;    // a NaN stays one
    }
}

extern "C" __global__ void relu_backward(const real* dy, const real* y, real* dx, whole n)
{
    for_each(i, n) dx[i] = y[i] > 0 ? dy[i] : real(0);
}

// dy * slope, and 0 where dy is 0; (E, N, d), and the slopes as many, or a row for each network.
extern "C" __global__ void times_slope(
    const real* dy, const real* slope, real* dx, int is_row, whole slope_step,
    whole entries_of_network, whole d, whole n)
{
    for_each(i, n) {
        whole at = is_row ? i / entries_of_network * slope_step + i % d : i;
        dx[i] = dy[i] == 0 ? dy[i] : dy[i] * slope[at];
    }
}

// slopes * (dy * part), where a network has one dy.
extern "C" __global__ void times_share(
    const real* slopes, const real* dy, double part, real* dx, whole entries_of_network, whole n)
{
    for_each(i, n) dx[i] = slopes[i] * times(dy[i / entries_of_network], real(part));
}

#ifndef lanes
#define lanes 32    // threads of a warp
#endif

// The sum of e^(z - max z) over a row of d numbers, for all threads of the warp that has the row.
__device__ real total_of_row(const real* z, whole d, real* max)
{
    const unsigned everyone = 0xffffffffu;
    whole lane = threadIdx.x % lanes;
    real largest = z[0], total = 0;
    for (whole j = lane; j < d; j += lanes) largest = fmax(largest, z[j]);
    for (int far = lanes / 2; far; far /= 2)
        largest = fmax(largest, __shfl_xor_sync(everyone, largest, far));
    for (whole j = lane; j < d; j += lanes) total += exp(z[j] - largest);
    for (int far = lanes / 2; far; far /= 2) total += __shfl_xor_sync(everyone, total, far);
    *max = largest;
    return total;
}

// One warp for each row of x (rows, d).
extern "C" __global__ void softmax(const real* x, real* y, int take_log, whole rows, whole d)
{
    whole lane = threadIdx.x % lanes, warps = (whole)gridDim.x * blockDim.x / lanes;
    whole warp = (blockIdx.x * (whole)blockDim.x + threadIdx.x) / lanes;
    for (whole row = warp; row < rows; row += warps) {
        const real* z = x + row * d;
        real largest, total = total_of_row(z, d, &largest), log_total = log(total);
        for (whole j = lane; j < d; j += lanes) {
            real shifted = z[j] - largest;
            y[row * d + j] = take_log ? shifted - log_total : exp(shifted) / total;
        }
    }
}
"""

LOSSES = """
// The mean part * (sum of the losses) of each network, and what its gradient is for the logits,
// slopes * (dy * share); by one block for a network, whose n losses and slopes are in `both`.
__device__ void mean_of_losses(
    const real* both, double part, real* means, const real* dy, double share, real* dx, whole net,
    whole networks, whole n)
{
    real sum = 0, factor = times(dy[net], real(share));
    for (whole i = net * n + threadIdx.x; i < (net + 1) * n; i += blockDim.x) {
        sum += both[i];
        dx[i] = both[networks * n + i] * factor;
    }
    sum = over_strips(sum, 1);
    if (!threadIdx.x) means[net] = sum * real(part);
}

__device__ void cross_entropy(real z, real t, real* loss, real* slope)
{
    real small = exp(-fabs(z));
    *loss = fmax(z, real(0)) + log1p(small) - t * z;
    *slope = exp(fmin(z, real(0))) / (1 + small) - t;
}

// The targets repeat after `targets_entries`: an ensemble's networks share them, or have their own.
// The n losses are followed by their n derivatives.
extern "C" __global__ void binary_cross_entropy(
    const real* logits, const real* targets, whole targets_entries, real* both, whole n)
{
    for_each(i, n) cross_entropy(logits[i], targets[i % targets_entries], both + i, both + n + i);
}

extern "C" __global__ void mean_binary_cross_entropy(
    const real* logits, const real* targets, whole targets_entries, real* both, double part,
    real* means, const real* dy, double share, real* dx, whole networks, whole n)
{
    for (whole net = blockIdx.x; net < networks; net += gridDim.x) {
        for (whole i = net * n + threadIdx.x; i < (net + 1) * n; i += blockDim.x)
            cross_entropy(
                logits[i], targets[i % targets_entries], both + i, both + networks * n + i);
        mean_of_losses(both, part, means, dy, share, dx, net, networks, n);
    }
}

// Row `row` of the logits (rows, d), by a warp; the labels repeat after `labels_entries`.
__device__ void softmax_cross_entropy_of_row(
    const real* logits, const whole* labels, whole labels_entries, double smoothing, real* losses,
    real* slopes, whole row, whole d)
{
    const real* z = logits + row * d;
    real largest, log_total = log(total_of_row(z, d, &largest));
    for (whole j = threadIdx.x % lanes; j < d; j += lanes) {
        real log_p = z[j] - largest - log_total;
        real is_label = labels[row % labels_entries] == j;
        real q = is_label * real(1 - smoothing) + real(smoothing / d);
        losses[row * d + j] = -(log_p * q);
        slopes[row * d + j] = exp(log_p) - q;
    }
}

extern "C" __global__ void softmax_cross_entropy(
    const real* logits, const whole* labels, whole labels_entries, double smoothing, real* both,
    whole rows, whole d)
{
    whole warps = (whole)gridDim.x * blockDim.x / lanes;
    whole warp = (blockIdx.x * (whole)blockDim.x + threadIdx.x) / lanes;
    for (whole row = warp; row < rows; row += warps)
        softmax_cross_entropy_of_row(
            logits, labels, labels_entries, smoothing, both, both + rows * d, row, d);
}

extern "C" __global__ void mean_softmax_cross_entropy(
    const real* logits, const whole* labels, whole labels_entries, double smoothing, real* both,
    double part, real* means, const real* dy, double share, real* dx, whole networks, whole rows,
    whole d)
{
    for (whole net = blockIdx.x; net < networks; net += gridDim.x) {
        whole last = (net + 1) * rows;
        real* slopes = both + networks * rows * d;
        for (whole row = net * rows + threadIdx.x / lanes; row < last; row += blockDim.x / lanes)
            softmax_cross_entropy_of_row(
                logits, labels, labels_entries, smoothing, both, slopes, row, d);
        __syncthreads();
        mean_of_losses(both, part, means, dy, share, dx, net, networks, rows * d);
    }
}
"""

SELECTION = """
// Rows of x (rows, ...), or of each network's own (networks, rows, ...), chosen by an index; a row
// is so many words of 4 bytes. A place outside counts on from the other end, as in CuPy.
extern "C" __global__ void take_rows(
    const unsigned* x, const whole* index, unsigned* y, whole words_of_row, whole rows,
    whole indices_of_network, int of_each, whole n)
{
    for_each(i, n) {
        whole place = i / words_of_row, row = index[place];
        whole net = of_each ? place / indices_of_network : 0;
        row %= rows;
        row = row < 0 ? row + rows : row;
        y[i] = x[(net * rows + row) * words_of_row + i % words_of_row];
    }
}
"""

OPTIMIZERS = """
// Each array is (networks, parameters), and a network's numbers begin `..._step` entries after
// those of the one before.

// The number of network `net`, where bit `place` of `several` says that there is one for each.
#define number(array, place) array[several >> place & 1 ? net : 0]

extern "C" __global__ void sgd_step(
    real* p, const real* g, real* v, const real* rates, const real* momenta, const real* decays,
    int has_momentum, int nesterov, int has_decay, int several, whole parameters, whole p_step,
    whole g_step, whole v_step, whole n)
{
    for_each(i, n) {
        whole net = i / parameters, j = i % parameters, at = net * p_step + j;
        real mu = has_momentum ? number(momenta, 1) : real(0), direction = g[net * g_step + j];
        real decay = has_decay ? number(decays, 2) : real(0), *own = v + net * v_step + j;
        if (decay != 0) direction += decay * p[at];
        if (has_momentum) {
            real velocity = *own = mu != 0 ? mu * *own + direction : real(0);
            if (mu != 0) direction = nesterov ? direction + mu * velocity : velocity;
        }
        p[at] -= number(rates, 0) * direction;
    }
}

extern "C" __global__ void adam_step(
    real* p, const real* g, real* m, real* v, const real* rates, const real* c1, const real* c2,
    const real* b1, const real* rest1, const real* b2, const real* rest2, const real* epsilons,
    const real* decays, int has_decay, int decoupled, int several, whole parameters, whole p_step,
    whole g_step, whole m_step, whole v_step, whole n)
{
    for_each(i, n) {
        whole net = i / parameters, j = i % parameters, at = net * p_step + j;
        real parameter = p[at], gradient = g[net * g_step + j], step = number(rates, 0);
        real *mean = m + net * m_step + j, *square = v + net * v_step + j;
        real decay = has_decay ? number(decays, 8) : real(0);
        if (decay != 0) {
            if (decoupled) parameter -= step * (decay * parameter);
            else gradient += decay * parameter;
        }
        real first = *mean = number(b1, 3) * *mean + number(rest1, 4) * gradient;
        real second = *square = number(b2, 5) * *square + number(rest2, 6) * (gradient * gradient);
        real root = sqrt(second / number(c2, 2)) + number(epsilons, 7);
        p[at] = parameter - step * (first / root / number(c1, 1));
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
    body = COMMON + SUMS + ACTIVATIONS + LOSSES + NORMALIZATION + PRODUCTS
    body += SELECTION + OPTIMIZERS + RANDOM + CONVERSIONS
    return {dtype: f"#define real {real}\n{body}" for dtype, real in REALS.items()}


COMPILER_OPTIONS = ("-std=c++17",)
THREADS = 256
THREADS_OF_A_SUM = 512
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
        self._start(name, -(-threads // THREADS), THREADS, arguments)

    def launch_sums(self, name: str, tasks: int, *arguments: Any) -> None:
        """Start a kernel that gives each task to a block, or fewer blocks that then do more."""
        if tasks:
            self._start(name, tasks, THREADS_OF_A_SUM, arguments)

    def _start(self, name: str, blocks: int, threads: int, arguments: Sequence[Any]) -> None:
        grid = (min(blocks, MOST_BLOCKS),)
        self._functions[name](grid, (threads,), typed(self._types[name], arguments))
