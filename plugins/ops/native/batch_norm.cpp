// Batch norm in training on channels_last feature maps: two passes over memory in each direction.
#include <cmath>
#include <vector>

#include "sums.h"

namespace {

struct Shape {
    long positions, channels;  // positions of all images
};

// Mean and variance (biased) of each channel. Values are taken relative to those at the first position, so that a mean
// far from zero costs no digits.
template <class X>
void measure(const Shape& shape, const X* x, std::vector<double>& mean, std::vector<double>& variance) {
    const long channels = shape.channels;
    std::vector<float> first(channels);
    for (long c = 0; c < channels; c += LANES)
        store_part(first.data() + c, load_part(x + c, channels - c), channels - c);
    const std::vector<double> sums = sums_of(1, shape.positions, channels, x, x, first.data(), first.data());
    for (long c = 0; c < channels; c++) {
        const double from_first = sums[c] / shape.positions;
        mean[c] = first[c] + from_first;
        variance[c] = std::max(0.0, sums[channels + c] / shape.positions - from_first * from_first);
    }
}

// x * by + shift, whose factors are (C).
template <class X, class T>
void apply(const Shape& shape, const X* x, const float* by, const float* shift, T* out) {
    const long channels = shape.channels;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long position = 0; position < shape.positions; position++) {
        const long at = position * channels;
        for (long c = 0; c < channels; c += LANES) {
            const long left = channels - c;
            store_part(out + at + c, load_part(x + at + c, left) * load_part(by + c, left) + load_part(shift + c, left),
                       left);
        }
    }
}

// Output in type T; `mean` and `scale` (one over the standard deviation) are kept for the backward pass. The running
// statistics move by `momentum`, the variance by the unbiased one.
template <class X, class T>
void forward(const Shape& shape, const X* x, const float* weight, const float* bias, float* running_mean,
             float* running_variance, T* out, float* mean, float* scale, float momentum, float eps) {
    const long channels = shape.channels;
    std::vector<double> means(channels), variances(channels);
    measure(shape, x, means, variances);
    const double unbiased = shape.positions / (shape.positions - 1.0);
    std::vector<float> by(channels), shift(channels);
    for (long c = 0; c < channels; c++) {
        mean[c] = (float)means[c];
        scale[c] = (float)(1 / std::sqrt(variances[c] + eps));
        by[c] = weight[c] * scale[c];
        shift[c] = (float)(bias[c] - means[c] * by[c]);
        running_mean[c] += momentum * (float)(means[c] - running_mean[c]);
        running_variance[c] += momentum * (float)(variances[c] * unbiased - running_variance[c]);
    }
    apply(shape, x, by.data(), shift.data(), out);
}

// `beside` is a gradient of the input from elsewhere, which is added; it may be null.
template <class X, class T>
void backward(const Shape& shape, const T* grad, const X* x, const float* mean, const float* scale,
              const float* weight, const X* beside, X* grad_x, float* grad_weight, float* grad_bias) {
    const long channels = shape.channels;
    const std::vector<double> sums = sums_of(1, shape.positions, channels, grad, x, nullptr, mean);
    std::vector<float> of_grad(channels), of_x(channels), rest(channels);
    for (long c = 0; c < channels; c++) {
        const double s = scale[c], level = sums[c] / shape.positions, along = sums[channels + c] / shape.positions;
        grad_weight[c] = (float)(sums[channels + c] * s);
        grad_bias[c] = (float)sums[c];
        const double slope = -weight[c] * s * s * s * along;
        of_grad[c] = (float)(weight[c] * s);
        of_x[c] = (float)slope;
        rest[c] = (float)(-slope * mean[c] - weight[c] * s * level);
    }
    combine(1, shape.positions, channels, grad, x, of_grad.data(), of_x.data(), rest.data(), beside, grad_x);
}

}  // namespace

// sizes: positions of all images, channels. Names: type of the input, then that of the output.
#define FORWARD(NAME, X, T)                                                                                        \
    void NAME(const long* sizes, const X* x, const float* weight, const float* bias, float* running_mean,          \
              float* running_variance, T* out, float* mean, float* scale, float momentum, float eps) {             \
        forward({sizes[0], sizes[1]}, x, weight, bias, running_mean, running_variance, out, mean, scale, momentum, \
                eps);                                                                                              \
    }
#define APPLY(NAME, X, T)                                                                    \
    void NAME(const long* sizes, const X* x, const float* by, const float* shift, T* out) { \
        apply({sizes[0], sizes[1]}, x, by, shift, out);                                     \
    }
#define BACKWARD(NAME, X, T)                                                                                     \
    void NAME(const long* sizes, const T* grad, const X* x, const float* mean, const float* scale,               \
              const float* weight, const X* beside, X* grad_x, float* grad_weight, float* grad_bias) {           \
        backward({sizes[0], sizes[1]}, grad, x, mean, scale, weight, beside, grad_x, grad_weight, grad_bias);    \
    }

extern "C" {
FORWARD(batch_norm_forward_float_float, float, float)
FORWARD(batch_norm_forward_float_bfloat16, float, bfloat16)
FORWARD(batch_norm_forward_bfloat16_bfloat16, bfloat16, bfloat16)
APPLY(batch_norm_apply_float_float, float, float)
APPLY(batch_norm_apply_float_bfloat16, float, bfloat16)
APPLY(batch_norm_apply_bfloat16_bfloat16, bfloat16, bfloat16)
BACKWARD(batch_norm_backward_float_float, float, float)
BACKWARD(batch_norm_backward_float_bfloat16, float, bfloat16)
BACKWARD(batch_norm_backward_bfloat16_bfloat16, bfloat16, bfloat16)
}
