// Sampling of deformable convolution on channels_last feature maps: a position's channels are one run of numbers, so
// that the four corners of a sample are read, weighed and written as vectors.
#include <algorithm>
#include <cmath>
#include <limits>

#include "vectors.h"

namespace {

struct Shape {
    long batch, height, width, channels, rows, columns, top, left, down, right;  // kernel, padding, dilation
    long taps() const { return rows * columns; }
    long positions() const { return height * width; }
};

// A sampled place: the four positions around it, and how far it lies between them.
struct Place {
    long corners[4];  // upper left, upper right, lower left, lower right: index of a position, -1 outside the map
    float below, beside;
    bool known;  // false for an offset that is not a number
};

Place place_of(const Shape& shape, long row, long column, long tap, const float* offsets) {
    const float y = row - shape.top + tap / shape.columns * shape.down + offsets[2 * tap];
    const float x = column - shape.left + tap % shape.columns * shape.right + offsets[2 * tap + 1];
    Place place{{-1, -1, -1, -1}, 0.0f, 0.0f, !(std::isnan(y) || std::isnan(x))};
    if (!(y >= -1.0f && y < shape.height && x >= -1.0f && x < shape.width)) return place;
    const float upper = std::floor(y), before = std::floor(x);
    const long at = (long)upper, side = (long)before;
    place.below = y - upper;
    place.beside = x - before;
    for (long corner = 0; corner < 4; corner++) {
        const long r = at + corner / 2, c = side + corner % 2;
        if (r >= 0 && r < shape.height && c >= 0 && c < shape.width) place.corners[corner] = r * shape.width + c;
    }
    return place;
}

void weights_of(const Place& place, float* weights) {
    const float above = 1.0f - place.below, before = 1.0f - place.beside;
    weights[0] = above * before;
    weights[1] = above * place.beside;
    weights[2] = place.below * before;
    weights[3] = place.below * place.beside;
}

void forward(const Shape& shape, const float* x, const float* offsets, const float* modulation, float* columns) {
    const long channels = shape.channels, taps = shape.taps();
    const Floats zeros(channels, 0.0f);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long line = 0; line < shape.batch * shape.height; line++) {
        const float* map = x + line / shape.height * shape.positions() * channels;
        for (long column = 0; column < shape.width; column++) {
            const long position = line * shape.width + column;
            for (long tap = 0; tap < taps; tap++) {
                const Place place = place_of(shape, line % shape.height, column, tap, offsets + position * 2 * taps);
                float weights[4];
                weights_of(place, weights);
                const float* from[4];
                for (long corner = 0; corner < 4; corner++)
                    from[corner] = place.corners[corner] < 0 ? zeros.data() : map + place.corners[corner] * channels;
                float scale = modulation ? modulation[position * taps + tap] : 1.0f;
                if (!place.known) scale = std::numeric_limits<float>::quiet_NaN();
                float* to = columns + (position * taps + tap) * channels;
                for (long c = 0; c < channels; c += LANES) {
                    const long left = channels - c;
                    Vector sum = load_part(from[0] + c, left) * weights[0];
                    for (long corner = 1; corner < 4; corner++) sum += load_part(from[corner] + c, left) * weights[corner];
                    store_part(to + c, sum * scale, left);
                }
            }
        }
    }
}

float total(Vector values) {
    float sum = 0.0f;
    for (long lane = 0; lane < LANES; lane++) sum += values[lane];
    return sum;
}

// What one sample gives to the gradients, for the channels from `first` to `end`.
void pass_back(const Place& place, const float* map, const float* grad, float scale, long channels, long first, long end,
               const float* zeros, float* grad_map, float* sums) {
    float weights[4];
    weights_of(place, weights);
    const float* from[4];
    for (long corner = 0; corner < 4; corner++)
        from[corner] = place.corners[corner] < 0 ? zeros : map + place.corners[corner] * channels;
    Vector down{}, right{}, whole{};
    for (long c = first; c < end; c += LANES) {
        const long left = end - c;
        const Vector g = load_part(grad + c, left);
        Vector value[4];
        for (long corner = 0; corner < 4; corner++) value[corner] = load_part(from[corner] + c, left);
        down += g * ((value[2] - value[0]) * (1.0f - place.beside) + (value[3] - value[1]) * place.beside);
        right += g * ((value[1] - value[0]) * (1.0f - place.below) + (value[3] - value[2]) * place.below);
        whole += g * (value[0] * weights[0] + value[1] * weights[1] + value[2] * weights[2] + value[3] * weights[3]);
        for (long corner = 0; corner < 4; corner++) {
            if (place.corners[corner] < 0) continue;
            float* to = grad_map + place.corners[corner] * channels + c;
            store_part(to, load_part(to, left) + g * (weights[corner] * scale), left);
        }
    }
    sums[0] = total(down) * scale;
    sums[1] = total(right) * scale;
    sums[2] = total(whole);
}

// Gradients of map (zeros before), offsets and modulation. Each thread has channels of an image for itself, as its
// samples add to positions anywhere; sums over channels are put together afterwards, in order.
void backward(const Shape& shape, const float* grad, const float* x, const float* offsets, const float* modulation,
              float* grad_x, float* grad_offsets, float* grad_modulation) {
    const long channels = shape.channels, taps = shape.taps(), samples = shape.positions() * taps;
    const long most = (channels + LANES - 1) / LANES, wanted = (threads + shape.batch - 1) / shape.batch;
    const long vectors = (most + std::min(most, wanted) - 1) / std::min(most, wanted);  // of a thread
    const long parts = (most + vectors - 1) / vectors;
    std::vector<float> sums(parts * shape.batch * samples * 3, 0.0f);
    const Floats zeros(channels, 0.0f);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long task = 0; task < shape.batch * parts; task++) {
        const long image = task / parts, first = task % parts * vectors * LANES;
        const long end = std::min(channels, first + vectors * LANES);
        const float* map = x + image * shape.positions() * channels;
        float* own = sums.data() + (task % parts * shape.batch + image) * samples * 3;
        for (long sample = 0; sample < samples; sample++) {
            const long position = sample / taps, tap = sample % taps, at = image * samples + sample;
            const Place place = place_of(shape, position / shape.width, position % shape.width, tap,
                                         offsets + (image * shape.positions() + position) * 2 * taps);
            pass_back(place, map, grad + at * channels, modulation ? modulation[at] : 1.0f, channels, first, end,
                      zeros.data(), grad_x + image * shape.positions() * channels, own + sample * 3);
        }
    }
    const long all = shape.batch * samples;
    for (long sample = 0; sample < all; sample++) {
        float down = 0.0f, right = 0.0f, whole = 0.0f;
        for (long part = 0; part < parts; part++) {
            const float* from = sums.data() + (part * all + sample) * 3;
            down += from[0];
            right += from[1];
            whole += from[2];
        }
        grad_offsets[2 * sample] = down;  // of a position: y and x of each tap in turn
        grad_offsets[2 * sample + 1] = right;
        if (modulation) grad_modulation[sample] = whole;
    }
}

Shape shape_of(const long* s) { return {s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9]}; }

}  // namespace

// sizes: batch, height, width, channels; kernel, padding and dilation, each rows and columns. Maps are (B, H, W, C),
// offsets (B, H, W, taps, 2), modulation (B, H, W, taps) or null, columns and their gradient (B, H, W, taps, C).
extern "C" {
void deformable_forward(const long* sizes, const float* x, const float* offsets, const float* modulation,
                        float* columns) {
    forward(shape_of(sizes), x, offsets, modulation, columns);
}
void deformable_backward(const long* sizes, const float* grad, const float* x, const float* offsets,
                         const float* modulation, float* grad_x, float* grad_offsets, float* grad_modulation) {
    backward(shape_of(sizes), grad, x, offsets, modulation, grad_x, grad_offsets, grad_modulation);
}
}
