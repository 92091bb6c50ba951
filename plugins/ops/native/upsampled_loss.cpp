// Cross-entropy of class logits that are coarser than their labels, without storing the logits at full size.
//
// A row of labels needs two rows of logits. For one pixel after another, the logits are interpolated, loss and gradient
// are computed, and the gradient is added to the four coarse positions. Vector lanes are classes.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "vectors.h"

namespace {

struct Source {  // of one row or column: the two coarse positions around it, and the weight of the second
    long first, second;
    float share;
};

Source source(long at, long coarse, long fine) {  // as bilinear interpolation with align_corners=False
    const float place = std::max(0.0f, (at + 0.5f) * ((float)coarse / fine) - 0.5f);
    const long first = std::min((long)place, coarse - 1);
    return {first, std::min(first + 1, coarse - 1), place - first};
}

// Sums and maxima over lanes, by pairwise reduction.
template <class Join>
inline float across_lanes(Vector value, Join join) {
    typedef float Half __attribute__((vector_size(32)));
    typedef float Quarter __attribute__((vector_size(16)));
    Half half[2];
    memcpy(half, &value, sizeof half);
    half[0] = join(half[0], half[1]);
    Quarter quarter[2];
    memcpy(quarter, half, sizeof quarter);
    quarter[0] = join(quarter[0], quarter[1]);
    const Quarter q = quarter[0];
    return join(join(q[0], q[1]), join(q[2], q[3]));
}

inline float total(Vector value) {
    return across_lanes(value, [](auto a, auto b) { return a + b; });
}

inline float largest(const Vector* values, long count) {
    float best = values[0][0];
    for (long v = 0; v < count; v++)
        for (long lane = 0; lane < LANES; lane++) best = std::max(best, values[v][lane]);
    return best;
}

struct Sizes {
    long batch, classes, coarse_height, coarse_width, height, width, ignore;
    long vectors() const { return (classes + LANES - 1) / LANES; }
    long lanes() const { return vectors() * LANES; }
};

struct Result {
    double loss = 0;
    long wrong = -1;  // a label that is not a class
};

constexpr long ROWS = 32;  // rows of labels that a thread processes at a time
constexpr float NEVER = -1e30f;  // logit of a lane without a class
constexpr float TOO_SMALL = 1e-30f;

struct Target {
    const float* weights;  // weight of each class, padded with zeros to full vectors
    float smoothing, all;  // `all`: the sum of the weights
};

// The loss of a pixel, and its gradient in `slopes`; `bound` is an upper bound of its logits, and usually close.
template <long VECTORS>
inline float pixel(const Vector* values, Vector* slopes, long label, float bound, const Sizes& sizes, const Target& to) {
    const long vectors = VECTORS ? VECTORS : sizes.vectors();
    float top = bound;
    Vector sum{};
    for (long v = 0; v < vectors; v++) sum += slopes[v] = exponential(values[v] - top);
    if (total(sum) < TOO_SMALL) {
        top = largest(values, vectors);
        sum = Vector{};
        for (long v = 0; v < vectors; v++) sum += slopes[v] = exponential(values[v] - top);
    }
    const float whole = total(sum), share = to.smoothing / sizes.classes;
    const float mine = (1 - to.smoothing) * to.weights[label], target = mine + share * to.all;
    float loss = target * std::log(whole) - mine * (((const float*)values)[label] - top);
    for (long v = 0; v < vectors; v++) slopes[v] *= target / whole;
    if (share > 0) {
        Vector rest{};
        for (long v = 0; v < vectors; v++) {
            const Vector weight = load(to.weights + v * LANES);
            rest += choose(weight == Vector{}, Vector{}, weight * (values[v] - top));
            slopes[v] -= share * weight;
        }
        loss -= share * total(rest);
    }
    ((float*)slopes)[label] -= mine;
    return loss;
}

// Interpolate a row of logits between two coarse rows, filling lanes without a class; and the maximum per position.
void mix_rows(const Sizes& sizes, const float* logits, const Source& from, float* row, float* bounds) {
    for (long x = 0; x < sizes.coarse_width; x++) {
        const float* upper = logits + (from.first * sizes.coarse_width + x) * sizes.classes;
        const float* lower = logits + (from.second * sizes.coarse_width + x) * sizes.classes;
        float* out = row + x * sizes.lanes();
        for (long k = 0; k < sizes.classes; k++) out[k] = upper[k] + (lower[k] - upper[k]) * from.share;
        for (long k = sizes.classes; k < sizes.lanes(); k++) out[k] = NEVER;
        bounds[x] = *std::max_element(out, out + sizes.classes);
    }
}

// One band of an image; `gradient` holds its rows of coarse positions, starting at `lowest`.
template <long VECTORS>
Result band(const Sizes& sizes, const float* logits, const int32_t* labels, const Target& target, long first, long end,
            long lowest, float* gradient) {
    const long vectors = VECTORS ? VECTORS : sizes.vectors(), lanes = vectors * LANES;
    const long pitch = sizes.coarse_width * lanes;
    std::vector<float> row(pitch), back(pitch), bounds(sizes.coarse_width);
    std::vector<Vector> spare(VECTORS ? 0 : 2 * vectors);
    Vector held[VECTORS ? 2 * VECTORS : 1];
    Vector *values = VECTORS ? held : spare.data(), *slopes = values + vectors;
    std::vector<Source> columns(sizes.width);
    for (long x = 0; x < sizes.width; x++) columns[x] = source(x, sizes.coarse_width, sizes.width);
    Result result;
    for (long y = first; y < end; y++) {
        const Source from = source(y, sizes.coarse_height, sizes.height);
        mix_rows(sizes, logits, from, row.data(), bounds.data());
        std::fill(back.begin(), back.end(), 0.0f);
        for (long x = 0; x < sizes.width; x++) {
            const long label = labels[y * sizes.width + x];
            if (label == sizes.ignore) continue;
            if (label < 0 || label >= sizes.classes) {
                result.wrong = label;
                return result;
            }
            const Source at = columns[x];
            const float *one = row.data() + at.first * lanes, *two = row.data() + at.second * lanes;
            for (long v = 0; v < vectors; v++) {
                const Vector a = load(one + v * LANES);
                values[v] = a + (load(two + v * LANES) - a) * at.share;
            }
            const float bound = std::max(bounds[at.first], bounds[at.second]);
            result.loss += pixel<VECTORS>(values, slopes, label, bound, sizes, target);
            if (!gradient) continue;
            float *to = back.data() + at.first * lanes, *and_to = back.data() + at.second * lanes;
            for (long v = 0; v < vectors; v++) {
                const Vector second = slopes[v] * at.share;
                store(to + v * LANES, load(to + v * LANES) + (slopes[v] - second));
                store(and_to + v * LANES, load(and_to + v * LANES) + second);
            }
        }
        if (!gradient) continue;
        float *upper = gradient + (from.first - lowest) * pitch, *lower = gradient + (from.second - lowest) * pitch;
        for (long i = 0; i < pitch; i++) upper[i] += back[i] * (1 - from.share);
        for (long i = 0; i < pitch; i++) lower[i] += back[i] * from.share;
    }
    return result;
}

}  // namespace

// sizes: batch, classes, height and width of the logits, height and width of the labels, the label that is ignored.
// logits and gradient are (B, h, w, K), labels (B, H, W). Computes the loss summed over the labels and its gradient,
// which is skipped if the pointer is null. `wrong` is set to -1, or to a label that is not a class.
extern "C" void upsampled_cross_entropy(const long* given, const float* logits, const int32_t* labels,
                                        const float* weights, float smoothing, double* loss, int64_t* wrong, float* gradient) {
    const Sizes sizes{given[0], given[1], given[2], given[3], given[4], given[5], given[6]};
    const long bands = (sizes.height + ROWS - 1) / ROWS, tasks = sizes.batch * bands;
    const long pitch = sizes.coarse_width * sizes.lanes();
    std::vector<float> padded(sizes.lanes(), 0.0f);
    std::copy(weights, weights + sizes.classes, padded.begin());
    const Target target{padded.data(), smoothing, std::accumulate(padded.begin(), padded.end(), 0.0f)};
    const auto run = sizes.vectors() == 1 ? band<1> : sizes.vectors() == 2 ? band<2> : band<0>;
    std::vector<Result> results(tasks);
    std::vector<std::vector<float>> parts(tasks);
    auto rows_of = [&](long task) {
        const long first = task % bands * ROWS, end = std::min(sizes.height, first + ROWS);
        return std::pair<long, long>(first, end);
    };
    auto lowest = [&](long task) { return source(rows_of(task).first, sizes.coarse_height, sizes.height).first; };
    auto highest = [&](long task) { return source(rows_of(task).second - 1, sizes.coarse_height, sizes.height).second; };
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long task = 0; task < tasks; task++) {
        const long image = task / bands, coarse = sizes.coarse_height * sizes.coarse_width * sizes.classes;
        if (gradient) parts[task].assign((highest(task) - lowest(task) + 1) * pitch, 0.0f);
        results[task] = run(sizes, logits + image * coarse, labels + image * sizes.height * sizes.width, target,
                            rows_of(task).first, rows_of(task).second, lowest(task),
                            gradient ? parts[task].data() : nullptr);
    }
    *loss = 0, *wrong = -1;
    for (const Result& result : results) {
        *loss += result.loss;
        if (result.wrong != -1) *wrong = result.wrong;
    }
    if (!gradient || *wrong != -1) return;
    std::fill(gradient, gradient + sizes.batch * sizes.coarse_height * sizes.coarse_width * sizes.classes, 0.0f);
    for (long task = 0; task < tasks; task++)  // in order, so deterministic for any number of threads
        for (long row = lowest(task); row <= highest(task); row++)
            for (long x = 0; x < sizes.coarse_width; x++) {
                const long place = (task / bands * sizes.coarse_height + row) * sizes.coarse_width + x;
                const float* from = parts[task].data() + ((row - lowest(task)) * sizes.coarse_width + x) * sizes.lanes();
                for (long k = 0; k < sizes.classes; k++) gradient[place * sizes.classes + k] += from[k];
            }
}
