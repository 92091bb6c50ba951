// Counts pairs of numbers in label maps. Most neighbours are equal: eight or four of them are looked at as one word.

#include <cstdint>
#include <cstring>

namespace {

template <typename Word, typename Number> Word word_at(const Number *numbers, long at) {
    Word word;
    std::memcpy(&word, numbers + at, sizeof word);
    return word;
}

bool is_run(uint64_t bytes) { return bytes == (bytes & 0xFF) * 0x0101010101010101ULL; }
bool is_run(uint32_t bytes) { return bytes == (bytes & 0xFF) * 0x01010101U; }
bool is_run_of_two(uint64_t word) { return word == (word & 0xFFFF) * 0x0001000100010001ULL; }

}  // namespace

// counts[256 * one + other] of `size` pairs.
extern "C" void count_values(const uint8_t *one, const uint8_t *other, long size, int64_t *counts) {
    long at = 0;
    for (; at + 8 <= size; at += 8) {
        if (is_run(word_at<uint64_t>(one, at)) && is_run(word_at<uint64_t>(other, at))) {
            counts[256 * one[at] + other[at]] += 8;
            continue;
        }
        for (long next = at; next < at + 8; ++next) ++counts[256 * one[next] + other[next]];
    }
    for (; at < size; ++at) ++counts[256 * one[at] + other[at]];
}

// present[id] = 1 for each of `size` ids; 65536 places.
extern "C" void find_values(const uint16_t *ids, long size, uint8_t *present) {
    long at = 0;
    uint64_t last = 0;
    if (size > 0) present[ids[0]] = 1;
    for (; at + 4 <= size; at += 4) {
        const uint64_t word = word_at<uint64_t>(ids, at);
        if (word == last && at > 0) continue;
        last = word;
        for (long next = at; next < at + 4; ++next) present[ids[next]] = 1;
    }
    for (; at < size; ++at) present[ids[at]] = 1;
}

// counts[256 * rows[id] + value] of the ids whose row is not -1.
extern "C" void count_rows(const uint16_t *ids, const uint8_t *values, long size, const int32_t *rows, int64_t *counts) {
    long at = 0;
    for (; at + 4 <= size; at += 4) {
        if (is_run_of_two(word_at<uint64_t>(ids, at))) {
            const int32_t row = rows[ids[at]];
            if (row < 0) continue;
            if (is_run(word_at<uint32_t>(values, at))) counts[256 * long(row) + values[at]] += 4;
            else
                for (long next = at; next < at + 4; ++next) ++counts[256 * long(row) + values[next]];
            continue;
        }
        for (long next = at; next < at + 4; ++next)
            if (rows[ids[next]] >= 0) ++counts[256 * long(rows[ids[next]]) + values[next]];
    }
    for (; at < size; ++at)
        if (rows[ids[at]] >= 0) ++counts[256 * long(rows[ids[at]]) + values[at]];
}
