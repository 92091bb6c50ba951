// Forward and backward pass of depthwise convolution on channels_last feature maps. Padding keeps the size at stride 1.
// For larger strides there is only the backward pass, which treats the gradient as one of stride 1 with zeros between.
//
// A task processes sixteen channels of a band of rows. Rows are converted to float32 and padded with zeros once, in a
// ring buffer that stays in the cache, so the inner loops need no checks of borders or types. A GELU after the
// convolution is applied before the output is written; the backward pass recomputes its input instead of reading it.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "vectors.h"

namespace {

constexpr long TILE = 8;       // columns whose sums are held in registers
constexpr long FEW = 2;        // columns per tile for the remaining columns
constexpr long MOST_TAPS = 9;  // kernel elements whose sums are held in registers
constexpr long PATCH = 32;     // columns of a patch if whole rows with all channels do not fit into the cache
constexpr long NARROW = 4;     // half the width of a kernel that reads only little outside its patch
constexpr long MUCH = 1 << 18;  // values of whole rows that still fit into the cache

struct Shape {
    long batch, height, width, channels, rows, columns, dilation, stride;
    long down() const { return dilation * (rows / 2); }
    long across() const { return dilation * (columns / 2); }
    long taps() const { return rows * columns; }
    long blocks() const { return (channels + LANES - 1) / LANES; }
    long pitch() const { return width * channels; }
    // Patches are distributed over the threads. Tall kernels get larger ones, since each also reads the rows around it.
    long patch_rows() const { return std::min(height, std::max(16l, (columns == 1 ? 4 : 2) * down())); }
    long patch_columns() const {
        const bool whole = across() > NARROW || patch_rows() * pitch() <= MUCH;
        return whole ? width : std::min(width, PATCH);
    }
    long patches_down() const { return (height + patch_rows() - 1) / patch_rows(); }
    long patches_across() const { return (width + patch_columns() - 1) / patch_columns(); }
    long patches() const { return batch * patches_down() * patches_across(); }
};

// The range of one task: one block of channels of one patch.
struct Task {
    long block, left, right, top, bottom, image, count;
    Task(const Shape& shape, long number) {
        block = number % shape.blocks();
        number /= shape.blocks();
        left = number % shape.patches_across() * shape.patch_columns();
        number /= shape.patches_across();
        top = number % shape.patches_down() * shape.patch_rows();
        image = number / shape.patches_down();
        right = std::min(shape.width, left + shape.patch_columns());
        bottom = std::min(shape.height, top + shape.patch_rows());
        count = std::min(LANES, shape.channels - block * LANES);
    }
    long offset(const Shape& shape) const { return image * shape.height * shape.pitch() + block * LANES; }
};

// Ring buffer with rows of one task in float32, with `margin` columns on both sides; zeros outside the feature map.
class Ring {
  public:
    Ring(const Shape& shape, long length, long margin)
        : shape_(shape), length_(length), margin_(margin),
          line_((shape.patch_columns() + 2 * margin + TILE) * LANES),  // the last tile may extend past the patch
          values_(length * line_, 0.0f), zeros_(line_, 0.0f) {}

    float* row(long row) { return row < 0 || row >= shape_.height ? zeros_.data() : slot(row); }

    // Fill a row from a feature map that is smaller by the stride, with zeros between its values.
    template <class T>
    void fill_apart(long row, const T* map, const Task& task) {
        if (row < 0 || row >= shape_.height) return;
        float* to = slot(row);
        std::fill(to, to + line_, 0.0f);
        if (row % shape_.stride) return;
        const long coarse = (shape_.width + shape_.stride - 1) / shape_.stride;
        const T* from = map + row / shape_.stride * coarse * shape_.channels;
        const long first = std::max(0l, task.left - margin_), end = std::min(shape_.width, task.right + margin_);
        for (long x = (first + shape_.stride - 1) / shape_.stride; x * shape_.stride < end; x++)
            store(to + (x * shape_.stride - task.left + margin_) * LANES,
                  load_part(from + x * shape_.channels, task.count));
    }

    template <class T>
    void fill(long row, const T* map, const Task& task) {
        if (row < 0 || row >= shape_.height) return;
        const long first = std::max(0l, task.left - margin_), end = std::min(shape_.width, task.right + margin_);
        float* to = slot(row);
        for (long x = task.left - margin_; x < first; x++, to += LANES) store(to, Vector{});
        const long step = shape_.channels, count = task.count;
        const T* from = map + row * shape_.pitch() + first * step;
        const long next = row + 1 < shape_.height ? shape_.pitch() : 0;
        for (long x = first; x < end; x++, from += step, to += LANES) {
            __builtin_prefetch(from + next);  // the hardware does not prefetch such large steps
            store(to, load_part(from, count));
        }
        for (long x = end; x < task.right + margin_; x++, to += LANES) store(to, Vector{});
    }

  private:
    float* slot(long row) { return values_.data() + (row % length_) * line_; }

    const Shape& shape_;
    long length_, margin_, line_;
    Floats values_, zeros_;
};

// Kernel sizes that are known at compile time, so that their loops are unrolled; 0: known only at run time.
template <long ROWS, long COLUMNS>
struct Known {
    static long rows(const Shape& shape) { return ROWS ? ROWS : shape.rows; }
    static long columns(const Shape& shape) { return COLUMNS ? COLUMNS : shape.columns; }
    static long step(const Shape& shape) { return (ROWS && COLUMNS ? 1 : shape.dilation) * LANES; }
};

// Compute COUNT columns of an output row, starting at `first`.
template <class Kernel, long COUNT, class Emit>
inline void convolve_tile(const Shape& shape, long first, long count, const float* const* rows, const float* weight,
                          Vector bias, Emit emit) {
    Vector sums[COUNT];
    for (long t = 0; t < COUNT; t++) sums[t] = bias;
    const long step = Kernel::step(shape);
    for (long ky = 0; ky < Kernel::rows(shape); ky++) {
        const float* from = rows[ky] + first * LANES;
        for (long kx = 0; kx < Kernel::columns(shape); kx++, weight += LANES, from += step) {
            const Vector w = load(weight);
            for (long t = 0; t < COUNT; t++) sums[t] += w * load(from + t * LANES);
        }
    }
    for (long t = 0; t < std::min(COUNT, count); t++) emit(first + t, sums[t]);
}

// Compute an output row of `width` columns from its input rows, which start half a kernel to the left.
template <class Kernel, class Emit>
inline void convolve(const Shape& shape, long width, const float* const* rows, const float* weight, Vector bias,
                     Emit emit) {
    long first = 0;
    for (; first + TILE <= width; first += TILE)
        convolve_tile<Kernel, TILE>(shape, first, TILE, rows, weight, bias, emit);
    for (; first < width; first += FEW)
        convolve_tile<Kernel, FEW>(shape, first, width - first, rows, weight, bias, emit);
}

// Add to `count` sums the products of a row with shifted rows.
template <long COUNT>
inline void correlate(long width, const float* grad, const float* const* shifted, float* sums) {
    Vector sum[COUNT];
    for (long k = 0; k < COUNT; k++) sum[k] = load(sums + k * LANES);
    for (long x = 0; x < width; x++) {
        const Vector g = load(grad + x * LANES);
        for (long k = 0; k < COUNT; k++) sum[k] += g * load(shifted[k] + x * LANES);
    }
    for (long k = 0; k < COUNT; k++) store(sums + k * LANES, sum[k]);
}

inline void correlate(long count, long width, const float* grad, const float* const* shifted, float* sums) {
    switch (count) {
        case 1: return correlate<1>(width, grad, shifted, sums);
        case 2: return correlate<2>(width, grad, shifted, sums);
        case 3: return correlate<3>(width, grad, shifted, sums);
        case 4: return correlate<4>(width, grad, shifted, sums);
        case 5: return correlate<5>(width, grad, shifted, sums);
        case 6: return correlate<6>(width, grad, shifted, sums);
        case 7: return correlate<7>(width, grad, shifted, sums);
        case 8: return correlate<8>(width, grad, shifted, sums);
        default: return correlate<9>(width, grad, shifted, sums);
    }
}

// The weights (C, taps) of one block of channels as [tap][lane]; `flipped` rotates the kernel by 180 degrees.
inline Floats block_of(const Shape& shape, const float* weight, long block, long count, bool flipped) {
    Floats out(shape.taps() * LANES, 0.0f);
    for (long lane = 0; lane < count; lane++)
        for (long tap = 0; tap < shape.taps(); tap++) {
            const long to = flipped ? shape.taps() - 1 - tap : tap;
            out[to * LANES + lane] = weight[(block * LANES + lane) * shape.taps() + tap];
        }
    return out;
}

// How an output value is stored: as it is, after a GELU, or added to the existing value.
enum Mode { PLAIN, ACTIVATED, ADDED };

template <class T>
inline void write(T* to, Vector sum, long count, Mode mode) {
    if (mode == ACTIVATED) sum = gelu<T>(sum);
    if (mode == ADDED) sum += load_part(to, count);
    store_part(to, sum, count);
}

template <class Kernel, class T>
void forward(const Shape& shape, const T* x, const float* weight, const float* bias, T* out, Mode mode) {
    const long down = shape.down(), tasks = shape.patches() * shape.blocks();
#pragma omp parallel num_threads(threads)
    {
        Ring maps(shape, 2 * down + 1, shape.across());
        std::vector<const float*> rows(shape.rows);
#pragma omp for schedule(static)
        for (long number = 0; number < tasks; number++) {
            const Task task(shape, number);
            const T* map = x + task.offset(shape);
            const Floats taps = block_of(shape, weight, task.block, task.count, false);
            const Vector start = bias ? load_part(bias + task.block * LANES, task.count) : Vector{};
            for (long row = task.top - down; row < task.top + down; row++) maps.fill(row, map, task);
            for (long row = task.top; row < task.bottom; row++) {
                maps.fill(row + down, map, task);
                for (long ky = 0; ky < shape.rows; ky++) rows[ky] = maps.row(row - down + ky * shape.dilation);
                T* line = out + task.offset(shape) + row * shape.pitch() + task.left * shape.channels;
                convolve<Kernel>(shape, task.right - task.left, rows.data(), taps.data(), start, [&](long column, Vector sum) {
                    write(line + column * shape.channels, sum, task.count, mode);
                });
            }
        }
    }
}

// Backward pass of one task; `sums` gets the gradients of each tap and of the bias, [taps + 1][lane].
template <class Kernel, class T>
class Backward {
  public:
    Backward(const Shape& shape, const T* x, const T* grad, const float* weight, const float* bias, T* grad_x, Mode mode)
        : shape_(shape), x_(x), grad_(grad), weight_(weight), bias_(bias), grad_x_(grad_x),
          activated_(mode == ACTIVATED), added_(mode == ADDED), down_(shape.down()),
          ahead_(activated_ ? 2 * shape.down() : shape.down()),
          maps_(shape, shape.down() + ahead_ + 1, shape.across() * (activated_ ? 2 : 1)),
          grads_(shape, 2 * shape.down() + 1, shape.across()), rows_(shape.rows), shifted_(shape.taps()) {}

    void run(const Task& task, float* sums) {
        taps_ = block_of(shape_, weight_, task.block, task.count, false);
        turned_ = block_of(shape_, weight_, task.block, task.count, true);
        start_ = bias_ ? load_part(bias_ + task.block * LANES, task.count) : Vector{};
        const T* map = x_ + task.offset(shape_);
        std::fill(sums, sums + (shape_.taps() + 1) * LANES, 0.0f);
        for (long row = task.top - ahead_; row < task.top + 2 * down_ - ahead_; row++) maps_.fill(row, map, task);
        for (long row = task.top - down_; row < task.top + down_; row++) {
            if (activated_) maps_.fill(row + down_, map, task);
            bring(row, task);
        }
        for (long row = task.top; row < task.bottom; row++) {
            maps_.fill(row + ahead_, map, task);
            bring(row + down_, task);
            add_up(row, task, sums);
            if (grad_x_) pass_on(row, task);
        }
    }

  private:
    // Store a row of the gradient before the activation in its ring buffer; the input rows around it are loaded.
    void bring(long row, const Task& task) {
        if (row < 0 || row >= shape_.height) return;
        if (shape_.stride > 1) return grads_.fill_apart(row, grad_ + coarse_offset(task), task);
        grads_.fill(row, grad_ + task.offset(shape_), task);
        if (!activated_) return;
        for (long ky = 0; ky < shape_.rows; ky++) rows_[ky] = maps_.row(row - down_ + ky * shape_.dilation);
        float* line = grads_.row(row);
        const long width = task.right - task.left + 2 * shape_.across();
        convolve<Kernel>(shape_, width, rows_.data(), taps_.data(), start_, [&](long column, Vector sum) {
            store(line + column * LANES, load(line + column * LANES) * gelu_slope<T>(sum));
        });
    }

    long coarse_offset(const Task& task) const {
        const long height = (shape_.height + shape_.stride - 1) / shape_.stride;
        const long width = (shape_.width + shape_.stride - 1) / shape_.stride;
        return task.image * height * width * shape_.channels + task.block * LANES;
    }

    void add_up(long row, const Task& task, float* sums) {
        if (row % shape_.stride) return;  // all zeros
        const long width = task.right - task.left;
        const float* mine = grads_.row(row) + shape_.across() * LANES;
        Vector total = load(sums + shape_.taps() * LANES);
        for (long column = 0; column < width; column++) total += load(mine + column * LANES);
        store(sums + shape_.taps() * LANES, total);
        const long margin = activated_ ? shape_.across() : 0;
        for (long ky = 0, k = 0; ky < shape_.rows; ky++)
            for (long kx = 0; kx < shape_.columns; kx++, k++)
                shifted_[k] = maps_.row(row - down_ + ky * shape_.dilation) + (margin + kx * shape_.dilation) * LANES;
        for (long k = 0; k < shape_.taps(); k += MOST_TAPS)
            correlate(std::min(MOST_TAPS, shape_.taps() - k), width, mine, shifted_.data() + k, sums + k * LANES);
    }

    void pass_on(long row, const Task& task) {
        for (long ky = 0; ky < shape_.rows; ky++) rows_[ky] = grads_.row(row - down_ + ky * shape_.dilation);
        T* line = grad_x_ + task.offset(shape_) + row * shape_.pitch() + task.left * shape_.channels;
        convolve<Kernel>(shape_, task.right - task.left, rows_.data(), turned_.data(), Vector{}, [&](long column, Vector sum) {
            write(line + column * shape_.channels, sum, task.count, added_ ? ADDED : PLAIN);
        });
    }

    const Shape& shape_;
    const T *x_, *grad_;
    const float *weight_, *bias_;
    T* grad_x_;
    bool activated_, added_;
    long down_, ahead_;  // rows below a row that must be loaded before it is processed
    Ring maps_, grads_;
    std::vector<const float*> rows_, shifted_;
    Floats taps_, turned_;
    Vector start_;
};

// Patches are added in order, so the result is deterministic for any number of threads.
void gather(const Shape& shape, const float* parts, float* weight, float* bias) {
    const long taps = shape.taps();
    for (long channel = 0; channel < shape.channels; channel++) {
        const long block = channel / LANES, lane = channel % LANES;
        for (long tap = 0; tap <= taps; tap++) {
            double sum = 0;
            for (long patch = 0; patch < shape.patches(); patch++)
                sum += parts[((patch * shape.blocks() + block) * (taps + 1) + tap) * LANES + lane];
            (tap < taps ? weight[channel * taps + tap] : bias[channel]) = (float)sum;
        }
    }
}

template <class Kernel, class T>
void backward(const Shape& shape, const T* x, const T* grad, const float* weight, const float* bias, T* grad_x,
              float* grad_weight, float* grad_bias, Mode mode) {
    const long tasks = shape.patches() * shape.blocks(), each = (shape.taps() + 1) * LANES;
    Floats parts(tasks * each);
#pragma omp parallel num_threads(threads)
    {
        Backward<Kernel, T> task(shape, x, grad, weight, bias, grad_x, mode);
#pragma omp for schedule(static)
        for (long number = 0; number < tasks; number++)
            task.run(Task(shape, number), parts.data() + number * each);
    }
    gather(shape, parts.data(), grad_weight, grad_bias);
}

Shape shape_of(const long* sizes) {
    return {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6], sizes[7]};
}

// Call with the compile-time kernel size, for the sizes where that is faster.
template <class Call>
void with_known(const Shape& shape, Call call) {
    const bool close = shape.dilation == 1;
    if (close && shape.rows == 3 && shape.columns == 3) return call(Known<3, 3>());
    if (close && shape.rows == 5 && shape.columns == 5) return call(Known<5, 5>());
    if (shape.rows == 1) return call(Known<1, 0>());
    if (shape.columns == 1) return call(Known<0, 1>());
    call(Known<0, 0>());
}

template <class T>
void run_forward(const long* sizes, const T* x, const float* weight, const float* bias, T* out, int mode) {
    const Shape shape = shape_of(sizes);
    with_known(shape, [&](auto known) { forward<decltype(known)>(shape, x, weight, bias, out, (Mode)mode); });
}

template <class T>
void run_backward(const long* sizes, const T* x, const T* grad, const float* weight, const float* bias, T* grad_x,
                  float* grad_weight, float* grad_bias, int mode) {
    const Shape shape = shape_of(sizes);
    with_known(shape, [&](auto known) {
        backward<decltype(known)>(shape, x, grad, weight, bias, grad_x, grad_weight, grad_bias, (Mode)mode);
    });
}

}  // namespace

// sizes: batch, height, width, channels, rows and columns of the kernel, dilation, stride
extern "C" {
void depthwise_forward_float(const long* sizes, const float* x, const float* weight, const float* bias, float* out,
                             int mode) {
    run_forward(sizes, x, weight, bias, out, mode);
}
void depthwise_forward_bfloat16(const long* sizes, const bfloat16* x, const float* weight, const float* bias,
                                bfloat16* out, int mode) {
    run_forward(sizes, x, weight, bias, out, mode);
}
void depthwise_backward_float(const long* sizes, const float* x, const float* grad, const float* weight,
                              const float* bias, float* grad_x, float* grad_weight, float* grad_bias, int mode) {
    run_backward(sizes, x, grad, weight, bias, grad_x, grad_weight, grad_bias, mode);
}
void depthwise_backward_bfloat16(const long* sizes, const bfloat16* x, const bfloat16* grad, const float* weight,
                                 const float* bias, bfloat16* grad_x, float* grad_weight, float* grad_bias,
                                 int mode) {
    run_backward(sizes, x, grad, weight, bias, grad_x, grad_weight, grad_bias, mode);
}
}
