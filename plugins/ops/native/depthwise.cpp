// Depthwise convolution of stride 1 that keeps the map's size, both ways, on maps whose channels lie together.
//
// Sixteen channels are taken through a band of rows at a time. Rows are widened to float32 and padded with zeros once,
// in a ring that stays in the cache, so the sums inside run without a look at borders or types. Where a GELU follows,
// it is applied before anything is written, and the way back computes its input anew rather than reading it.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "vectors.h"

namespace {

constexpr long TILE = 8;      // columns whose sums are kept in registers
constexpr long MOST_TAPS = 9; // taps whose sums are kept in registers

struct Shape {
    long batch, height, width, channels, rows, columns, dilation;
    long down() const { return dilation * (rows / 2); }
    long across() const { return dilation * (columns / 2); }
    long taps() const { return rows * columns; }
    long blocks() const { return (channels + LANES - 1) / LANES; }
    long padded() const { return width + 2 * across() + TILE; }  // a last tile may reach past the map
};

// Rows of one map and one block of channels, as float32 between zeros.
class Ring {
  public:
    Ring(const Shape& shape, long length)
        : shape_(shape), length_(length), values_(length * shape.padded() * LANES, 0.0f),
          zeros_(shape.padded() * LANES, 0.0f) {}

    float* slot(long row) { return values_.data() + (row % length_) * shape_.padded() * LANES; }
    const float* row(long row) { return row < 0 || row >= shape_.height ? zeros_.data() : slot(row); }
    float* inside(long row) { return slot(row) + shape_.across() * LANES; }

    template <class T>
    void fill(long row, const T* from, long count) {
        if (row < 0 || row >= shape_.height) return;
        float* to = inside(row);
        for (long x = 0; x < shape_.width; x++, from += shape_.channels, to += LANES)
            store(to, load_part(from, count));
    }

  private:
    const Shape& shape_;
    long length_;
    std::vector<float> values_, zeros_;
};

// One row of a convolution: from padded rows around it, to each column in turn.
template <class Emit>
inline void convolve(const Shape& shape, const float* const* rows, const float* weight, Vector bias, Emit emit) {
    for (long first = 0; first < shape.width; first += TILE) {
        Vector sums[TILE];
        for (long t = 0; t < TILE; t++) sums[t] = bias;
        const float* tap = weight;
        for (long ky = 0; ky < shape.rows; ky++) {
            const float* from = rows[ky] + first * LANES;
            for (long kx = 0; kx < shape.columns; kx++, tap += LANES, from += shape.dilation * LANES) {
                const Vector w = load(tap);
                for (long t = 0; t < TILE; t++) sums[t] += w * load(from + t * LANES);
            }
        }
        const long count = std::min(TILE, shape.width - first);
        for (long t = 0; t < count; t++) emit(first + t, sums[t]);
    }
}

// Add to `count` sums the products of a row with rows that are shifted against it.
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

// The weights (C, taps) of one block as [tap][lane]; `flipped` turns the kernel round.
template <class T>
std::vector<float> block_of(const Shape& shape, const T* weight, long block, long count, bool flipped) {
    std::vector<float> out(shape.taps() * LANES, 0.0f);
    for (long lane = 0; lane < count; lane++)
        for (long tap = 0; tap < shape.taps(); tap++) {
            const long to = flipped ? shape.taps() - 1 - tap : tap;
            T one[LANES] = {weight[(block * LANES + lane) * shape.taps() + tap]};
            out[to * LANES + lane] = load(one)[0];
        }
    return out;
}

// Bands of rows are what threads share out; tall kernels take larger ones, for each band reads its surroundings too.
long band_rows(const Shape& shape) { return std::min(shape.height, std::max(16l, 2 * shape.down())); }
long band_count(const Shape& shape) { return (shape.height + band_rows(shape) - 1) / band_rows(shape); }

template <class T>
void forward(const Shape& shape, const T* x, const T* weight, const T* bias, T* out, bool activated, bool added) {
    const long bands = band_count(shape), down = shape.down(), tasks = shape.batch * bands * shape.blocks();
#pragma omp parallel
    {
        Ring ring(shape, 2 * down + 1);
        std::vector<const float*> rows(shape.rows);
#pragma omp for schedule(static)
        for (long task = 0; task < tasks; task++) {
            const long block = task % shape.blocks(), band = task / shape.blocks() % bands;
            const long image = task / shape.blocks() / bands, count = std::min(LANES, shape.channels - block * LANES);
            const long first = band * band_rows(shape), end = std::min(shape.height, first + band_rows(shape));
            const T* from = x + image * shape.height * shape.width * shape.channels + block * LANES;
            T* to = out + (from - x);
            const std::vector<float> taps = block_of(shape, weight, block, count, false);
            const Vector start = bias ? load_part(bias + block * LANES, count) : Vector{};
            const long pitch = shape.width * shape.channels;
            for (long row = first - down; row < first + down; row++) ring.fill(row, from + row * pitch, count);
            for (long row = first; row < end; row++) {
                ring.fill(row + down, from + (row + down) * pitch, count);
                for (long ky = 0; ky < shape.rows; ky++) rows[ky] = ring.row(row - down + ky * shape.dilation);
                T* line = to + row * pitch;
                convolve(shape, rows.data(), taps.data(), start, [&](long column, Vector sum) {
                    T* place = line + column * shape.channels;
                    if (activated) sum = gelu(sum);
                    if (added) sum += load_part(place, count);
                    store_part(place, sum, count);
                });
            }
        }
    }
}

template <class T>
struct Gradients {
    T *x;            // as the map, or null
    float *weight;   // (C, taps), added up by the caller: here one for each band, [image][band][block][taps + 1][lane]
};

template <class T>
void backward(const Shape& shape, const T* x, const T* grad, const T* weight, const T* bias, Gradients<T> out,
              bool activated) {
    const long bands = band_count(shape), down = shape.down(), tasks = shape.batch * bands * shape.blocks();
    const long ahead = activated ? 2 * down : down;  // rows of the map that must be there before a row's turn
#pragma omp parallel
    {
        Ring maps(shape, down + ahead + 1), grads(shape, 2 * down + 1);
        std::vector<const float*> rows(shape.rows), shifted(shape.taps());
#pragma omp for schedule(static)
        for (long task = 0; task < tasks; task++) {
            const long block = task % shape.blocks(), band = task / shape.blocks() % bands;
            const long image = task / shape.blocks() / bands, count = std::min(LANES, shape.channels - block * LANES);
            const long first = band * band_rows(shape), end = std::min(shape.height, first + band_rows(shape));
            const long offset = image * shape.height * shape.width * shape.channels + block * LANES;
            const long pitch = shape.width * shape.channels;
            const T *from = x + offset, *come = grad + offset;
            const std::vector<float> taps = block_of(shape, weight, block, count, false);
            const std::vector<float> turned = block_of(shape, weight, block, count, true);
            const Vector start = bias ? load_part(bias + block * LANES, count) : Vector{};
            float* sums = out.weight + task * (shape.taps() + 1) * LANES;
            std::fill(sums, sums + (shape.taps() + 1) * LANES, 0.0f);

            // the gradient before the activation, of a row whose surroundings are in the ring
            auto bring = [&](long row) {
                if (row < 0 || row >= shape.height) return;
                grads.fill(row, come + row * pitch, count);
                if (!activated) return;
                for (long ky = 0; ky < shape.rows; ky++) rows[ky] = maps.row(row - down + ky * shape.dilation);
                float* line = grads.inside(row);
                convolve(shape, rows.data(), taps.data(), start, [&](long column, Vector sum) {
                    store(line + column * LANES, load(line + column * LANES) * gelu_slope(sum));
                });
            };
            for (long row = first - ahead; row < first + 2 * down - ahead; row++)
                maps.fill(row, from + row * pitch, count);
            for (long row = first - down; row < first + down; row++) {
                if (activated) maps.fill(row + down, from + (row + down) * pitch, count);
                bring(row);
            }
            for (long row = first; row < end; row++) {
                maps.fill(row + ahead, from + (row + ahead) * pitch, count);
                bring(row + down);
                const float* mine = grads.inside(row);
                Vector total = load(sums + shape.taps() * LANES);
                for (long column = 0; column < shape.width; column++) total += load(mine + column * LANES);
                store(sums + shape.taps() * LANES, total);
                for (long ky = 0, k = 0; ky < shape.rows; ky++)
                    for (long kx = 0; kx < shape.columns; kx++, k++)
                        shifted[k] = maps.row(row - down + ky * shape.dilation) + kx * shape.dilation * LANES;
                for (long k = 0; k < shape.taps(); k += MOST_TAPS)
                    correlate(std::min(MOST_TAPS, shape.taps() - k), shape.width, mine, shifted.data() + k,
                              sums + k * LANES);
                if (!out.x) continue;
                for (long ky = 0; ky < shape.rows; ky++) rows[ky] = grads.row(row - down + ky * shape.dilation);
                T* line = out.x + offset + row * pitch;
                convolve(shape, rows.data(), turned.data(), Vector{}, [&](long column, Vector sum) {
                    store_part(line + column * shape.channels, sum, count);
                });
            }
        }
    }
}

// Bands are added in order, so the result does not depend on how many threads there were.
void gather(const Shape& shape, const float* parts, float* weight, float* bias) {
    const long groups = shape.batch * band_count(shape), taps = shape.taps();
    for (long channel = 0; channel < shape.channels; channel++) {
        const long block = channel / LANES, lane = channel % LANES;
        for (long tap = 0; tap <= taps; tap++) {
            double sum = 0;
            for (long group = 0; group < groups; group++)
                sum += parts[((group * shape.blocks() + block) * (taps + 1) + tap) * LANES + lane];
            (tap < taps ? weight[channel * taps + tap] : bias[channel]) = (float)sum;
        }
    }
}

template <class T>
void run_backward(const long* sizes, const T* x, const T* grad, const T* weight, const T* bias, T* grad_x,
                  float* grad_weight, float* grad_bias, int activated) {
    const Shape shape{sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6]};
    std::vector<float> parts(shape.batch * band_count(shape) * shape.blocks() * (shape.taps() + 1) * LANES);
    backward(shape, x, grad, weight, bias, {grad_x, parts.data()}, activated != 0);
    gather(shape, parts.data(), grad_weight, grad_bias);
}

template <class T>
void run_forward(const long* sizes, const T* x, const T* weight, const T* bias, T* out, int activated, int added) {
    const Shape shape{sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6]};
    forward(shape, x, weight, bias, out, activated != 0, added != 0);
}

}  // namespace

// sizes: images, height, width, channels, kernel's rows and columns, dilation
extern "C" {
void depthwise_forward_float(const long* sizes, const float* x, const float* weight, const float* bias, float* out,
                             int activated, int added) {
    run_forward(sizes, x, weight, bias, out, activated, added);
}
void depthwise_forward_bfloat16(const long* sizes, const bfloat16* x, const bfloat16* weight, const bfloat16* bias,
                                bfloat16* out, int activated, int added) {
    run_forward(sizes, x, weight, bias, out, activated, added);
}
void depthwise_backward_float(const long* sizes, const float* x, const float* grad, const float* weight,
                              const float* bias, float* grad_x, float* grad_weight, float* grad_bias, int activated) {
    run_backward(sizes, x, grad, weight, bias, grad_x, grad_weight, grad_bias, activated);
}
void depthwise_backward_bfloat16(const long* sizes, const bfloat16* x, const bfloat16* grad, const bfloat16* weight,
                                 const bfloat16* bias, bfloat16* grad_x, float* grad_weight, float* grad_bias,
                                 int activated) {
    run_backward(sizes, x, grad, weight, bias, grad_x, grad_weight, grad_bias, activated);
}
}
