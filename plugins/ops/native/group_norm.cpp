// Backward pass of group norm on channels_last feature maps, in two passes over memory.
#include <algorithm>
#include <vector>

#include "vectors.h"

namespace {

constexpr long POSITIONS = 256;  // positions that a thread processes at a time

struct Shape {
    long batch, positions, channels, groups;
    long parts() const { return (positions + POSITIONS - 1) / POSITIONS; }
    long each() const { return channels / groups; }
};

// Sums over positions of the gradient, and of the gradient times the input: (B, 2, C).
template <class T>
std::vector<double> sums_of(const Shape& shape, const T* grad, const T* x) {
    const long channels = shape.channels, parts = shape.parts();
    std::vector<float> partial(shape.batch * parts * 2 * channels, 0.0f);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long part = 0; part < shape.batch * parts; part++) {
        const long first = part % parts * POSITIONS, end = std::min(shape.positions, first + POSITIONS);
        float *plain = partial.data() + part * 2 * channels, *times = plain + channels;
        for (long position = first; position < end; position++) {
            const long at = (part / parts * shape.positions + position) * channels;
            for (long c = 0; c < channels; c += LANES) {
                const long left = channels - c;
                const Vector g = load_part(grad + at + c, left);
                store_part(plain + c, load_part(plain + c, left) + g, left);
                store_part(times + c, load_part(times + c, left) + g * load_part(x + at + c, left), left);
            }
        }
    }
    std::vector<double> sums(shape.batch * 2 * channels, 0.0);
    for (long part = 0; part < shape.batch * parts; part++)  // in order: deterministic
        for (long c = 0; c < 2 * channels; c++) sums[part / parts * 2 * channels + c] += partial[part * 2 * channels + c];
    return sums;
}

template <class T>
void backward(const Shape& shape, const T* grad, const T* x, const float* mean, const float* scale,
              const float* weight, T* grad_x, float* grad_weight, float* grad_bias) {
    const long channels = shape.channels, groups = shape.groups, each = shape.each();
    const std::vector<double> sums = sums_of(shape, grad, x);
    std::vector<float> of_grad(shape.batch * channels), of_x(shape.batch * channels), rest(shape.batch * channels);
    std::fill(grad_weight, grad_weight + channels, 0.0f);
    std::fill(grad_bias, grad_bias + channels, 0.0f);
    for (long image = 0; image < shape.batch; image++)
        for (long group = 0; group < groups; group++) {
            const double m = mean[image * groups + group], s = scale[image * groups + group];
            const double *plain = sums.data() + image * 2 * channels, *times = plain + channels;
            double along = 0, level = 0;  // components of the gradient that the norm removes
            for (long c = group * each; c < (group + 1) * each; c++) {
                grad_weight[c] += (float)((times[c] - m * plain[c]) * s);
                grad_bias[c] += (float)plain[c];
                along += weight[c] * (times[c] - m * plain[c]);
                level += weight[c] * plain[c];
            }
            const double count = (double)shape.positions * each, slope = -along * s * s * s / count;
            for (long c = group * each; c < (group + 1) * each; c++) {
                of_grad[image * channels + c] = (float)(weight[c] * s);
                of_x[image * channels + c] = (float)slope;
                rest[image * channels + c] = (float)(-slope * m - level * s / count);
            }
        }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long position = 0; position < shape.batch * shape.positions; position++) {
        const long at = position * channels, row = position / shape.positions * channels;
        for (long c = 0; c < channels; c += LANES) {
            const long left = channels - c;
            const Vector out = load_part(grad + at + c, left) * load_part(of_grad.data() + row + c, left) +
                               load_part(x + at + c, left) * load_part(of_x.data() + row + c, left) +
                               load_part(rest.data() + row + c, left);
            store_part(grad_x + at + c, out, left);
        }
    }
}

}  // namespace

// sizes: batch, positions, channels, groups; mean and scale (one over the standard deviation) are (B, G)
extern "C" {
void group_norm_backward_float(const long* sizes, const float* grad, const float* x, const float* mean,
                               const float* scale, const float* weight, float* grad_x, float* grad_weight,
                               float* grad_bias) {
    backward({sizes[0], sizes[1], sizes[2], sizes[3]}, grad, x, mean, scale, weight, grad_x, grad_weight, grad_bias);
}
void group_norm_backward_bfloat16(const long* sizes, const bfloat16* grad, const bfloat16* x, const float* mean,
                                  const float* scale, const float* weight, bfloat16* grad_x, float* grad_weight,
                                  float* grad_bias) {
    backward({sizes[0], sizes[1], sizes[2], sizes[3]}, grad, x, mean, scale, weight, grad_x, grad_weight, grad_bias);
}
}
