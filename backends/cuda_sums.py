"""CUDA C++ sources of what sums over the points, and of small products; see `cuda_kernels.py`.

A sum over the rows of a matrix (N, d) is a task of one block for up to 32 columns: its threads
stand in strips of as many columns, each strip adds every so many rows, and then the strips are
added in pairs. So the order of the additions depends on N and d alone, not on the number of blocks
or on where the matrix lies.
"""

SUMS = """
#ifndef BLOCK
#define BLOCK 512
#endif

#ifdef __CUDA_ARCH__
// A rounded product: the compiler would make one instruction of a product and a sum.
__device__ float times(float a, float b) { return __fmul_rn(a, b); }
__device__ double times(double a, double b) { return __dmul_rn(a, b); }
#else
#define times(a, b) ((a) * (b))
#endif

// The sum over the threads of a block whose numbers differ by a multiple of `width`; for all.
__device__ real over_strips(real mine, whole width)
{
    __shared__ real partial[BLOCK];
    whole me = threadIdx.x;
    partial[me] = mine;
    __syncthreads();
    for (whole half = blockDim.x / 2; half >= width; half /= 2) {
        if (me < half) partial[me] += partial[me + half];
        __syncthreads();
    }
    real sum = partial[me % width];
    __syncthreads();
    return sum;
}

// The columns of matrices (networks, rows, d) that a block takes one after the other: column j of
// network `net`, of which this thread has every row `i` of its strip. `width` is a power of two.
#define for_each_column(width)                                                           \\
    const whole strips = blockDim.x / width, strip = threadIdx.x / width;                \\
    const whole groups = (d + width - 1) / width, own = threadIdx.x % width;             \\
    for (whole task = blockIdx.x, net = task / groups, j = task % groups * width + own;  \\
         task < networks * groups;                                                       \\
         task += gridDim.x, net = task / groups, j = task % groups * width + own)

#define for_each_row(i) if (j < d) for (whole i = strip; i < rows; i += strips)

__device__ whole fitting(whole width) { return width < blockDim.x ? width : blockDim.x; }

// x (networks, rows, d) -> sums (networks, d); a network's begin `sums_step` after the last one's.
extern "C" __global__ void sum_rows(
    const real* x, real* sums, whole sums_step, whole networks, whole rows, whole d, whole most)
{
    const whole width = fitting(most);
    for_each_column(width) {
        real sum = 0;
        for_each_row(i) sum += x[(net * rows + i) * d + j];
        sum = over_strips(sum, width);
        if (!strip && j < d) sums[net * sums_step + j] = sum;
    }
}

// As relu_backward, and the sums over the rows of its dx.
extern "C" __global__ void relu_backward_sums(
    const real* dy, const real* y, real* dx, real* sums, whole sums_step, whole networks,
    whole rows, whole d, whole most)
{
    const whole width = fitting(most);
    for_each_column(width) {
        real sum = 0;
        for_each_row(i) {
            whole at = (net * rows + i) * d + j;
            real value = y[at] > 0 ? dy[at] : real(0);
            dx[at] = value;
            sum += value;
        }
        sum = over_strips(sum, width);
        if (!strip && j < d) sums[net * sums_step + j] = sum;
    }
}

// As times_slope, of two arrays of one shape, and the sums over the rows of its dx.
extern "C" __global__ void times_slope_sums(
    const real* dy, const real* slope, real* dx, real* sums, whole sums_step, whole networks,
    whole rows, whole d, whole most)
{
    const whole width = fitting(most);
    for_each_column(width) {
        real sum = 0;
        for_each_row(i) {
            whole at = (net * rows + i) * d + j;
            real value = dy[at] == 0 ? dy[at] : times(dy[at], slope[at]);
            dx[at] = value;
            sum += value;
        }
        sum = over_strips(sum, width);
        if (!strip && j < d) sums[net * sums_step + j] = sum;
    }
}

// part * (sum of n numbers), for each network.
extern "C" __global__ void scaled_sums(
    const real* x, real* sums, double part, whole networks, whole n)
{
    for (whole net = blockIdx.x; net < networks; net += gridDim.x) {
        real sum = 0;
        for (whole i = threadIdx.x; i < n; i += blockDim.x) sum += x[net * n + i];
        sum = over_strips(sum, 1);
        if (!threadIdx.x) sums[net] = sum * real(part);
    }
}
"""

NORMALIZATION = """
// Interface: standardize. What is written is y (networks, rows, d), and then of each column the
// mean, the variance and the scale, (networks, d) each.
extern "C" __global__ void standardize(
    const real* x, const real* epsilons, int of_each, double part, real* y, whole networks,
    whole rows, whole d, whole most)
{
    const whole width = fitting(most);
    real* row = y + networks * rows * d;
    for_each_column(width) {
        real sum = 0, squares = 0;
        for_each_row(i) sum += x[(net * rows + i) * d + j];
        real mean = over_strips(sum, width) * real(part);
        for_each_row(i) {
            real centred = x[(net * rows + i) * d + j] - mean;
            squares += centred * centred;
        }
        real variance = over_strips(squares, width) * real(part);
        real scale = sqrt(variance + epsilons[of_each ? net : 0]);
        for_each_row(i) {
            whole at = (net * rows + i) * d + j;
            y[at] = (x[at] - mean) / scale;
        }
        if (!strip && j < d) {
            row[net * d + j] = mean;
            row[(networks + net) * d + j] = variance;
            row[(2 * networks + net) * d + j] = scale;
        }
    }
}

extern "C" __global__ void standardize_backward(
    const real* dy, const real* y, const real* scale, double part, real* dx, whole networks,
    whole rows, whole d, whole most)
{
    const whole width = fitting(most);
    for_each_column(width) {
        real sum = 0, products = 0;
        for_each_row(i) {
            whole at = (net * rows + i) * d + j;
            sum += dy[at];
            products += dy[at] * y[at];
        }
        real mean = over_strips(sum, width) * real(part);
        real along_y = over_strips(products, width) * real(part);
        for_each_row(i) {
            whole at = (net * rows + i) * d + j;
            dx[at] = (dy[at] - mean - y[at] * along_y) / scale[net * d + j];
        }
    }
}

// running <- rest * running + momentum * batch, of means and, times `correction`, variances.
extern "C" __global__ void running_averages(
    real* means, real* variances, const real* mean, const real* variance, double correction,
    const real* momenta, const real* rests, int several, whole d, whole n)
{
    for_each(i, n) {
        whole net = i / d;
        real momentum = momenta[several & 1 ? net : 0], rest = rests[several >> 1 & 1 ? net : 0];
        means[i] = times(means[i], rest) + times(mean[i], momentum);
        variances[i] = times(variances[i], rest)
                     + times(times(variance[i], real(correction)), momentum);
    }
}
"""

ROWS_AT_ONCE = 4

PRODUCTS = (
    f"#define ROWS_AT_ONCE {ROWS_AT_ONCE}"
    + """

// y = a b, or max(0, a b + bias): matrices (networks, rows, inner) and (networks, inner, columns).
// A thread has one column and four rows; its sums are taken from the first term to the last.
extern "C" __global__ void small_product(
    const real* a, const real* b, const real* bias, int has_bias, int relu, real* y, whole rows,
    whole inner, whole columns, whole a_net, whole a_row, whole a_column, whole b_net, whole b_row,
    whole bias_net, whole n)
{
    whole groups = (rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    for_each(i, n) {
        whole j = i % columns, first = i / columns % groups * ROWS_AT_ONCE;
        whole net = i / columns / groups, last = rows - 1 - first;
        const real* column = b + net * b_net + j;
        const real* row[ROWS_AT_ONCE];
        real sums[ROWS_AT_ONCE] = {};
        for (whole r = 0; r < ROWS_AT_ONCE; r++)
            row[r] = a + net * a_net + (first + (r < last ? r : last)) * a_row;
        for (whole l = 0; l < inner; l++) {
            real value = column[l * b_row];
            for (whole r = 0; r < ROWS_AT_ONCE; r++)
                sums[r] = fma(row[r][l * a_column], value, sums[r]);
        }
        real shift = has_bias ? bias[net * bias_net + j] : real(0);
        for (whole r = 0; r < ROWS_AT_ONCE && r <= last; r++) {
            real sum = has_bias ? sums[r] + shift : sums[r];
            y[(net * rows + first + r) * columns + j] = relu && sum <= 0 ? real(0) : sum;
        }
    }
}
"""
)
