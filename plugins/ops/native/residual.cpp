// A residual branch, scaled per image and channel and added to its shortcut; the backward pass reads memory once.
#include <algorithm>
#include <vector>

#include "sums.h"

namespace {

// x + scale * (branch + more); feature maps are (B, positions, C), scale is (B, C), and `more` may be null.
template <class X, class T, class M>
void forward(long batch, long positions, long channels, const X* x, const T* branch, const M* more,
             const float* scale, float* out) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long position = 0; position < batch * positions; position++) {
        const long at = position * channels;
        const float* by = scale + position / positions * channels;
        for (long c = 0; c < channels; c += LANES) {
            const long left = channels - c;
            Vector sum = load_part(branch + at + c, left);
            if (more) sum += load_part(more + at + c, left);
            store_part(out + at + c, load_part(x + at + c, left) + sum * load_part(by + c, left), left);
        }
    }
}

// Gradients of the branch and of the scale. The gradient of `more` is the branch's; it is stored where it has another type.
template <class T, class M>
void backward(long batch, long positions, long channels, const float* grad, const T* branch, const M* more,
              const float* scale, T* grad_branch, M* grad_more, float* grad_scale) {
    const long parts = (positions + POSITIONS - 1) / POSITIONS;
    std::vector<float> sums(batch * parts * channels, 0.0f);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long part = 0; part < batch * parts; part++) {
        const long image = part / parts, first = part % parts * POSITIONS, end = std::min(positions, first + POSITIONS);
        const float* by = scale + image * channels;
        float* into = sums.data() + part * channels;
        for (long position = first; position < end; position++) {
            const long at = (image * positions + position) * channels;
            for (long c = 0; c < channels; c += LANES) {
                const long left = channels - c;
                const Vector g = load_part(grad + at + c, left), given = g * load_part(by + c, left);
                Vector sum = load_part(branch + at + c, left);
                if (more) sum += load_part(more + at + c, left);
                store_part(into + c, load_part(into + c, left) + g * sum, left);
                store_part(grad_branch + at + c, given, left);
                if (grad_more) store_part(grad_more + at + c, given, left);
            }
        }
    }
    for (long image = 0; image < batch; image++)
        for (long c = 0; c < channels; c++) {
            double sum = 0;
            for (long part = 0; part < parts; part++) sum += sums[(image * parts + part) * channels + c];
            grad_scale[image * channels + c] = (float)sum;
        }
}

}  // namespace

// sizes: batch, positions, channels. Names: type of x (of the forward pass alone), of the branch, and of `more`.
#define FORWARD(NAME, X, T, M)                                                                                  \
    void NAME(const long* sizes, const X* x, const T* branch, const M* more, const float* scale, float* out) { \
        forward(sizes[0], sizes[1], sizes[2], x, branch, more, scale, out);                                     \
    }
#define BACKWARD(NAME, T, M)                                                                                      \
    void NAME(const long* sizes, const float* grad, const T* branch, const M* more, const float* scale,          \
              T* grad_branch, M* grad_more, float* grad_scale) {                                                 \
        backward(sizes[0], sizes[1], sizes[2], grad, branch, more, scale, grad_branch, grad_more, grad_scale);   \
    }

extern "C" {
FORWARD(residual_forward_float_float_float, float, float, float)
FORWARD(residual_forward_float_bfloat16_float, float, bfloat16, float)
FORWARD(residual_forward_float_bfloat16_bfloat16, float, bfloat16, bfloat16)
FORWARD(residual_forward_bfloat16_bfloat16_bfloat16, bfloat16, bfloat16, bfloat16)
BACKWARD(residual_backward_float_float, float, float)
BACKWARD(residual_backward_bfloat16_float, bfloat16, float)
BACKWARD(residual_backward_bfloat16_bfloat16, bfloat16, bfloat16)
}
