// Sums over the positions of channels_last feature maps, in one pass over memory.
#pragma once
#include <algorithm>
#include <vector>

#include "vectors.h"

constexpr long POSITIONS = 256;  // positions that a thread processes at a time

// Of each image and channel the sum of a, and the sum of a times b: (B, 2, C). What `centre_a` and `centre_b` (C) hold is
// subtracted first; null subtracts nothing. Sums of parts are added in order, so the result is deterministic.
template <class A, class B>
std::vector<double> sums_of(long images, long positions, long channels, const A* a, const B* b,
                            const float* centre_a = nullptr, const float* centre_b = nullptr) {
    const long parts = (positions + POSITIONS - 1) / POSITIONS;
    const std::vector<float> zeros(channels, 0.0f);
    if (!centre_a) centre_a = zeros.data();
    if (!centre_b) centre_b = zeros.data();
    std::vector<float> partial(images * parts * 2 * channels, 0.0f);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long part = 0; part < images * parts; part++) {
        const long first = part % parts * POSITIONS, end = std::min(positions, first + POSITIONS);
        float *plain = partial.data() + part * 2 * channels, *times = plain + channels;
        for (long position = first; position < end; position++) {
            const long at = (part / parts * positions + position) * channels;
            for (long c = 0; c < channels; c += LANES) {
                const long left = channels - c;
                const Vector from_a = load_part(a + at + c, left) - load_part(centre_a + c, left);
                const Vector from_b = load_part(b + at + c, left) - load_part(centre_b + c, left);
                store_part(plain + c, load_part(plain + c, left) + from_a, left);
                store_part(times + c, load_part(times + c, left) + from_a * from_b, left);
            }
        }
    }
    std::vector<double> sums(images * 2 * channels, 0.0);
    for (long part = 0; part < images * parts; part++)
        for (long c = 0; c < 2 * channels; c++) sums[part / parts * 2 * channels + c] += partial[part * 2 * channels + c];
    return sums;
}

// by_a * a + by_b * b + rest + more, whose factors are (B, C); `more` may be null.
template <class A, class B, class T>
void combine(long images, long positions, long channels, const A* a, const B* b, const float* by_a, const float* by_b,
             const float* rest, const T* more, T* out) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long position = 0; position < images * positions; position++) {
        const long at = position * channels, row = position / positions * channels;
        for (long c = 0; c < channels; c += LANES) {
            const long left = channels - c;
            Vector sum = load_part(a + at + c, left) * load_part(by_a + row + c, left) +
                         load_part(b + at + c, left) * load_part(by_b + row + c, left) +
                         load_part(rest + row + c, left);
            if (more) sum += load_part(more + at + c, left);
            store_part(out + at + c, sum, left);
        }
    }
}
