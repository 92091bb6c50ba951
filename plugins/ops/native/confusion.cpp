// Counts pairs of label and prediction. Neighbouring pixels mostly are one pair, and a counter that was just written is
// slow to read again: small tables exist four times, and take turns.
#include <cstdint>
#include <vector>

#include "vectors.h"

namespace {

constexpr long PART = 1 << 16;        // pixels that a thread counts before it takes more
constexpr long SMALL = 16 * 1024;     // bytes of a table up to which four of them stay in the cache
constexpr long TURNS = 4;

struct Sizes {
    long pixels, classes, ignore, predicted_bytes, label_bytes;
};

template <typename Label> inline long row_of(Label label, const Sizes& s) {
    const bool is_class = static_cast<uint64_t>(static_cast<int64_t>(label)) < static_cast<uint64_t>(s.classes);
    const long row = is_class ? static_cast<long>(label) : s.classes;
    return static_cast<int64_t>(label) == s.ignore ? s.classes + 1 : row;
}

template <typename Number> inline long column_of(Number number, const Sizes& s) {
    const bool is_class = static_cast<uint64_t>(static_cast<int64_t>(number)) < static_cast<uint64_t>(s.classes);
    return is_class ? static_cast<long>(number) : s.classes;
}

// Rows: classes, labels that are none, ignored ones. Columns: classes, predictions that are none.
template <typename Number, typename Label>
void count(const Number* predicted, const Label* labels, const Sizes& s, int64_t* counts) {
    const long width = s.classes + 1, cells = (s.classes + 2) * width;
    const long turns = cells * static_cast<long>(sizeof(int64_t)) <= SMALL ? TURNS : 1;
    const long parts = (s.pixels + PART - 1) / PART;
#pragma omp parallel num_threads(threads) if (parts > 1)
    {
        std::vector<int64_t> tables(turns * cells);
        int64_t* const table[TURNS] = {tables.data(), tables.data() + 1 % turns * cells,
                                       tables.data() + 2 % turns * cells, tables.data() + 3 % turns * cells};
#pragma omp for schedule(static)
        for (long part = 0; part < parts; part++) {
            const long stop = part + 1 == parts ? s.pixels : (part + 1) * PART;
            long at = part * PART;
            for (; at + TURNS <= stop; at += TURNS)
                for (long turn = 0; turn < TURNS; turn++)
                    table[turn][row_of(labels[at + turn], s) * width + column_of(predicted[at + turn], s)]++;
            for (; at < stop; at++) table[0][row_of(labels[at], s) * width + column_of(predicted[at], s)]++;
        }
#pragma omp critical
        for (long turn = 0; turn < turns; turn++)
            for (long cell = 0; cell < cells; cell++) counts[cell] += tables[turn * cells + cell];
    }
}

template <typename Number> void count_labels(const Number* predicted, const void* labels, const Sizes& s, int64_t* counts) {
    switch (s.label_bytes) {
    case 1: return count(predicted, static_cast<const uint8_t*>(labels), s, counts);
    case 2: return count(predicted, static_cast<const int16_t*>(labels), s, counts);
    case 4: return count(predicted, static_cast<const int32_t*>(labels), s, counts);
    default: return count(predicted, static_cast<const int64_t*>(labels), s, counts);
    }
}

}  // namespace

// sizes: pixels, classes, ignored label, bytes of a prediction and of a label (1: unsigned, 2, 4 and 8: signed).
extern "C" void count_confusion(const long* sizes, const void* predicted, const void* labels, int64_t* counts) {
    const Sizes s{sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]};
    switch (s.predicted_bytes) {
    case 1: return count_labels(static_cast<const uint8_t*>(predicted), labels, s, counts);
    case 2: return count_labels(static_cast<const int16_t*>(predicted), labels, s, counts);
    case 4: return count_labels(static_cast<const int32_t*>(predicted), labels, s, counts);
    default: return count_labels(static_cast<const int64_t*>(predicted), labels, s, counts);
    }
}
