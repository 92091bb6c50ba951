// A residual branch, scaled per image and channel and added to its shortcut; the backward pass reads memory once.
#include <algorithm>
#include <vector>

#include "vectors.h"

namespace {

constexpr long POSITIONS = 256;  // positions that a thread processes at a time

// x + scale * (branch + more); feature maps are (B, positions, C), scale is (B, C), and `more` may be null.
template <class T>
void forward(long batch, long positions, long channels, const float* x, const T* branch, const float* more,
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

// Gradients of the branch (the gradient of `more` is the same) and of the scale.
template <class T>
void backward(long batch, long positions, long channels, const float* grad, const T* branch, const float* more,
              const float* scale, T* grad_branch, float* grad_more, float* grad_scale) {
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

// sizes: batch, positions, channels
extern "C" {
void residual_forward_float(const long* sizes, const float* x, const float* branch, const float* more,
                            const float* scale, float* out) {
    forward(sizes[0], sizes[1], sizes[2], x, branch, more, scale, out);
}
void residual_forward_bfloat16(const long* sizes, const float* x, const bfloat16* branch, const float* more,
                               const float* scale, float* out) {
    forward(sizes[0], sizes[1], sizes[2], x, branch, more, scale, out);
}
void residual_backward_float(const long* sizes, const float* grad, const float* branch, const float* more,
                             const float* scale, float* grad_branch, float* grad_more, float* grad_scale) {
    backward(sizes[0], sizes[1], sizes[2], grad, branch, more, scale, grad_branch, grad_more, grad_scale);
}
void residual_backward_bfloat16(const long* sizes, const float* grad, const bfloat16* branch, const float* more,
                                const float* scale, bfloat16* grad_branch, float* grad_more, float* grad_scale) {
    backward(sizes[0], sizes[1], sizes[2], grad, branch, more, scale, grad_branch, grad_more, grad_scale);
}
}
