// Backward pass of group norm on channels_last feature maps, in two passes over memory.
#include <algorithm>
#include <vector>

#include "sums.h"

namespace {

struct Shape {
    long batch, positions, channels, groups;
    long each() const { return channels / groups; }
};

template <class T>
void backward(const Shape& shape, const T* grad, const T* x, const float* mean, const float* scale,
              const float* weight, T* grad_x, float* grad_weight, float* grad_bias) {
    const long channels = shape.channels, groups = shape.groups, each = shape.each();
    const std::vector<double> sums = sums_of(shape.batch, shape.positions, channels, grad, x);
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
    combine(shape.batch, shape.positions, channels, grad, x, of_grad.data(), of_x.data(), rest.data(), (const T*)nullptr,
            grad_x);
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
