// Counts for calibration: probabilities of logits by bins, without storing the probabilities.
//
// Blocks of pixels are small enough that the logits of all their classes stay in the cache. Vector lanes are pixels.
// Sums are kept as whole numbers, so that they do not depend on how blocks are shared among threads.
#include <algorithm>
#include <cmath>

#include "vectors.h"

namespace {

constexpr long BLOCK = 256;  // pixels that are processed together
constexpr long VECTORS = BLOCK / LANES;

struct Sizes {
    long classes, pixels, bins, fine, digits, lowest, ignore;
};

struct Bin {
    int64_t count, right, confidence;
};

struct Counts {  // of the largest probability by bin and by fine bin, and of large probabilities by class and bin
    std::vector<Bin> top, fine, large;
    std::vector<int64_t> mass, labelled;
    explicit Counts(const Sizes& s)
        : top(s.bins), fine(s.fine), large(s.classes * s.bins), mass(s.classes), labelled(s.classes) {}
};

struct Block {  // powers of the logits, and for each pixel their sum's inverse, its weight, and the limit of large ones
    std::vector<Vector, OnLine<Vector>> powers;
    Vector inverse[VECTORS], weight[VECTORS], least[VECTORS], rest[VECTORS];
    Whole best[VECTORS];
    int32_t labels[BLOCK];
    explicit Block(long classes) : powers(classes * VECTORS) {}
};

inline uint32_t lanes_of(Whole where) {
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask((__m512i)where, (__m512i)where);
#else
    uint32_t bits = 0;
    for (long lane = 0; lane < LANES; lane++) bits |= (uint32_t)(where[lane] & 1) << lane;
    return bits;
#endif
}

inline void add(Bin& bin, float confidence, bool right, float one) {
    bin.count++;
    bin.right += right;
    bin.confidence += lrintf(confidence * one);
}

inline long place_of(float confidence, long bins) {  // bins exclude their lower edge
    return std::min(std::max((long)ceilf(confidence * bins), 1L), bins) - 1;
}

// The logits of a block, copied class by class: planes of many images lie a power of two apart, so that vectors of all
// classes at one pixel would take each other's place in the cache.
void fetch(Block& block, const Sizes& s, const float* logits, const int32_t* labels, long count) {
    for (long i = 0; i < BLOCK; i++) block.labels[i] = i < count ? labels[i] : (int32_t)s.ignore;
    for (long k = 0; k < s.classes; k++) {
        Vector* to = &block.powers[k * VECTORS];
        if (count == BLOCK)
            memcpy(to, logits + k * s.pixels, sizeof(float) * BLOCK);
        else
            for (long v = 0; v < VECTORS; v++)
                to[v] = v * LANES < count ? load_part(logits + k * s.pixels + v * LANES, count - v * LANES) : Vector{};
    }
}

void raise(Block& block, const Sizes& s) {
    for (long v = 0; v < VECTORS; v++) {
        Vector* values = &block.powers[v];
        Vector most = values[0], total{};
        Whole best{}, ours;
        for (long k = 1; k < s.classes; k++) {
            const Whole above = values[k * VECTORS] > most;
            most = choose(above, values[k * VECTORS], most);
            best = (best & ~above) | (above & (int32_t)k);
        }
        for (long k = 0; k < s.classes; k++) total += values[k * VECTORS] = exponential(values[k * VECTORS] - most);
        memcpy(&ours, block.labels + v * LANES, sizeof ours);
        const Whole valid = ours != (int32_t)s.ignore;
        block.best[v] = best;
        block.inverse[v] = 1.0f / total;
        block.rest[v] = (total - 1.0f) * block.inverse[v];
        block.weight[v] = choose(valid, block.inverse[v], Vector{});
        block.least[v] = choose(valid, total / (float)s.bins, spread(INFINITY));
    }
}

void count_classes(const Block& block, const Sizes& s, Counts& counts, float one) {
    for (long k = 0; k < s.classes; k++) {
        Vector sum{};
        for (long v = 0; v < VECTORS; v++) {
            const Vector power = block.powers[k * VECTORS + v];
            sum += power * block.weight[v];
            for (uint32_t lanes = lanes_of(power > block.least[v]); lanes; lanes &= lanes - 1) {
                const long lane = __builtin_ctz(lanes);
                const float share = power[lane] * block.inverse[v][lane];
                const bool right = block.labels[v * LANES + lane] == k;
                add(counts.large[k * s.bins + place_of(share, s.bins)], share, right, one);
            }
        }
        double whole = 0;
        for (long lane = 0; lane < LANES; lane++) whole += sum[lane];
        counts.mass[k] += llrint(whole * one);
    }
}

void count_largest(const Block& block, const Sizes& s, Counts& counts, long count, float one) {
    float inverse[BLOCK];
    int32_t best[BLOCK], rest[BLOCK];
    memcpy(inverse, block.inverse, sizeof inverse);
    memcpy(best, block.best, sizeof best);
    memcpy(rest, block.rest, sizeof rest);  // the bits of the number
    for (long i = 0; i < count; i++) {
        const long label = block.labels[i];
        if (label == s.ignore) continue;
        if (label >= 0 && label < s.classes) counts.labelled[label]++;
        const bool right = best[i] == label;
        const long fine = (rest[i] >> (23 - s.digits)) - s.lowest + 1;
        add(counts.top[place_of(inverse[i], s.bins)], inverse[i], right, one);
        add(counts.fine[std::min(std::max(fine, 0L), s.fine - 1)], inverse[i], right, one);
    }
}

void merge(const std::vector<Bin>& from, int64_t* to) {
    for (size_t i = 0; i < from.size(); i++) {
        to[3 * i] += from[i].count;
        to[3 * i + 1] += from[i].right;
        to[3 * i + 2] += from[i].confidence;
    }
}

}  // namespace

// sizes: classes, pixels, bins, fine bins, binary digits of a fine bin, the number of the second fine bin, ignored label
extern "C" void count_calibration(const long* sizes, const float* logits, const int32_t* labels, int64_t* top,
                                  int64_t* fine, int64_t* large, int64_t* mass, int64_t* labelled, float one) {
    const Sizes s{sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6]};
#pragma omp parallel num_threads(threads)
    {
        Counts counts(s);
        Block block(s.classes);
#pragma omp for schedule(static)
        for (long first = 0; first < s.pixels; first += BLOCK) {
            const long count = std::min(BLOCK, s.pixels - first);
            fetch(block, s, logits + first, labels + first, count);
            raise(block, s);
            count_classes(block, s, counts, one);
            count_largest(block, s, counts, count, one);
        }
#pragma omp critical
        {
            merge(counts.top, top);
            merge(counts.fine, fine);
            merge(counts.large, large);
            for (long k = 0; k < s.classes; k++) mass[k] += counts.mass[k], labelled[k] += counts.labelled[k];
        }
    }
}
