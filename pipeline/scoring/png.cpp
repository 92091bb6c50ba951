// Decodes the pixels of grey and palette PNG files of 8 and 16 bits: inflates the stream, then undoes PNG's filters.
//
// Label maps are long runs of one number. zlib copies a run byte by byte, and libpng undoes filters byte by byte; here
// both go in blocks. Whatever is unusual or damaged ends with a code other than 0, and the caller takes another
// decoder. Sources: RFC 1950 and 1951 (zlib, deflate), the PNG specification, section 9 (filters).

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace {

constexpr int LONGEST = 15;  // bits of a code
constexpr int BLOCK = 16;    // bytes filled at once

// Bits of the stream, least significant first. Beyond its end come zeros, which are counted.
struct Bits {
    const uint8_t *next, *end;
    uint64_t held = 0;
    int count = 0, missing = 0;

    void refill() {
        while (count <= 48) {
            if (next < end) held |= uint64_t(*next++) << count;
            else ++missing;
            count += 8;
        }
    }
    uint32_t take(int bits) {
        const uint32_t value = uint32_t(held & ((uint64_t(1) << bits) - 1));
        held >>= bits;
        count -= bits;
        return value;
    }
    bool ran_out() const { return missing * 8 > count; }
};

// A prefix code as one table: the next LONGEST bits -> symbol and length; length 0 where no code begins so.
struct Code {
    uint16_t table[1 << LONGEST];

    bool build(const uint8_t *lengths, int symbols) {
        int of_length[LONGEST + 1] = {0};
        for (int s = 0; s < symbols; ++s) ++of_length[lengths[s]];
        of_length[0] = 0;
        int first[LONGEST + 2] = {0}, left = 1;
        for (int length = 1; length <= LONGEST; ++length) {
            left = 2 * left - of_length[length];
            if (left < 0) return false;  // more codes than fit
            first[length + 1] = (first[length] + of_length[length]) << 1;
        }
        std::memset(table, 0, sizeof table);
        for (int s = 0; s < symbols; ++s) {
            const int length = lengths[s];
            if (length == 0) continue;
            int code = first[length]++, reversed = 0;
            for (int bit = 0; bit < length; ++bit, code >>= 1) reversed = reversed << 1 | (code & 1);
            for (int at = reversed; at < 1 << LONGEST; at += 1 << length) table[at] = uint16_t(s << 4 | length);
        }
        return true;
    }
    int symbol(Bits &bits) const {  // -1 where no code begins so
        const uint16_t entry = table[bits.held & ((1 << LONGEST) - 1)];
        if ((entry & 15) == 0) return -1;
        bits.take(entry & 15);
        return entry >> 4;
    }
};

const uint16_t LENGTHS[] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31,
                            35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
const uint8_t LENGTH_BITS[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
const uint16_t DISTANCES[] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
                              193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
const uint8_t DISTANCE_BITS[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
const uint8_t ORDER[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

struct Inflater {
    Bits bits;
    uint8_t *out;
    size_t size, done = 0;
    Code literals, distances;

    bool run() {
        bool last = false;
        while (!last) {
            bits.refill();
            last = bits.take(1);
            const uint32_t kind = bits.take(2);
            const bool fine = kind == 0 ? stored() : kind == 1 ? fixed() && coded() : kind == 2 && dynamic() && coded();
            if (!fine || bits.ran_out()) return false;
        }
        return done == size;
    }

    bool stored() {
        bits.take(bits.count % 8);
        bits.refill();
        const uint32_t length = bits.take(16), check = bits.take(16);
        if (length != (check ^ 0xFFFF) || length > size - done) return false;
        for (uint32_t i = 0; i < length; ++i) {
            bits.refill();
            out[done++] = uint8_t(bits.take(8));
        }
        return true;
    }

    bool fixed() {
        uint8_t lengths[288], five[30];
        for (int s = 0; s < 288; ++s) lengths[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
        std::memset(five, 5, sizeof five);
        return literals.build(lengths, 288) && distances.build(five, 30);
    }

    bool dynamic() {
        const int literal_count = int(bits.take(5)) + 257, distance_count = int(bits.take(5)) + 1;
        const int count = int(bits.take(4)) + 4;
        if (literal_count > 286 || distance_count > 30) return false;
        uint8_t lengths[320] = {0};
        for (int i = 0; i < count; ++i) {
            bits.refill();
            lengths[ORDER[i]] = uint8_t(bits.take(3));
        }
        if (!literals.build(lengths, 19)) return false;  // for the moment, the code of the lengths
        std::memset(lengths, 0, sizeof lengths);
        for (int at = 0; at < literal_count + distance_count;) {
            bits.refill();
            const int symbol = literals.symbol(bits);
            if (symbol < 0 || (symbol == 16 && at == 0)) return false;
            if (symbol < 16) {
                lengths[at++] = uint8_t(symbol);
                continue;
            }
            const uint8_t value = symbol == 16 ? lengths[at - 1] : 0;
            int repeat = symbol == 16 ? 3 + int(bits.take(2)) : symbol == 17 ? 3 + int(bits.take(3)) : 11 + int(bits.take(7));
            if (repeat > literal_count + distance_count - at) return false;
            while (repeat-- > 0) lengths[at++] = value;
        }
        return literals.build(lengths, literal_count) && distances.build(lengths + literal_count, distance_count);
    }

    bool coded() {
        for (;;) {
            bits.refill();
            int symbol = literals.symbol(bits);
            if (symbol < 0 || bits.ran_out()) return false;
            if (symbol == 256) return true;
            if (symbol < 256) {
                if (done == size) return false;
                out[done++] = uint8_t(symbol);
                continue;
            }
            if ((symbol -= 257) > 28) return false;
            const size_t length = LENGTHS[symbol] + bits.take(LENGTH_BITS[symbol]);
            const int far = distances.symbol(bits);  // 48 bits are held: 15 + 5 + 15 + 13 are taken at most
            if (far < 0 || far > 29) return false;
            const size_t distance = DISTANCES[far] + bits.take(DISTANCE_BITS[far]);
            if (distance > done || length > size - done) return false;
            repeat(distance, length);
        }
    }

    void repeat(size_t distance, size_t length) {
        uint8_t *to = out + done;
        const uint8_t *from = to - distance;
        done += length;
        if (distance == 1) {
            std::memset(to, *from, length);
            return;
        }
        while (length > distance) {  // what was copied is copied too: each turn has twice as much
            std::memcpy(to, from, distance);
            to += distance;
            length -= distance;
            distance *= 2;
        }
        std::memcpy(to, from, length);
    }
};

uint32_t adler(const uint8_t *data, size_t size) {
    uint32_t low = 1, high = 0;
    while (size > 0) {
        size_t part = size < 5536 ? size : 5536;  // within which neither sum overflows
        size -= part;
        for (; part >= 32; part -= 32, data += 32) {
            uint32_t sum = 0, weighted = 0;
            for (uint32_t i = 0; i < 32; ++i) {
                sum += data[i];
                weighted += (32 - i) * data[i];
            }
            high += 32 * low + weighted;
            low += sum;
        }
        for (; part > 0; --part) high += low += *data++;
        low %= 65521;
        high %= 65521;
    }
    return high << 16 | low;
}

bool is_zero(const uint8_t *at) {
    uint64_t words[2];
    std::memcpy(words, at, BLOCK);
    return (words[0] | words[1]) == 0;
}

uint8_t nearest(int left, int above, int corner) {
    const int guess = left + above - corner;
    const int a = guess > left ? guess - left : left - guess;
    const int b = guess > above ? guess - above : above - guess;
    const int c = guess > corner ? guess - corner : corner - guess;
    return uint8_t(a <= b && a <= c ? left : b <= c ? above : corner);
}

// A row has STEP bytes of zeros before its first, so that the first pixel has neighbours too.
template <int STEP> void fill(uint8_t *row, size_t at) {
    for (int i = 0; i < BLOCK; ++i) row[at + i] = row[at - STEP + i % STEP];
}

template <int STEP> bool undo(int filter, const uint8_t *raw, const uint8_t *above, uint8_t *row, size_t width) {
    size_t at = 0;
    switch (filter) {
    case 0:
        std::memcpy(row, raw, width);
        return true;
    case 1:
        while (at < width) {
            if (at + BLOCK <= width && is_zero(raw + at)) {
                fill<STEP>(row, at);
                at += BLOCK;
                continue;
            }
            const size_t stop = at + BLOCK < width ? at + BLOCK : width;
            for (; at < stop; ++at) row[at] = uint8_t(raw[at] + row[at - STEP]);
        }
        return true;
    case 2:
        for (; at < width; ++at) row[at] = uint8_t(raw[at] + above[at]);
        return true;
    case 3:
        for (; at < width; ++at) row[at] = uint8_t(raw[at] + (row[at - STEP] + above[at]) / 2);
        return true;
    case 4:
        while (at < width) {
            if (at + BLOCK <= width && is_zero(raw + at)) {
                if (std::memcmp(row + at - STEP, above + at - STEP, STEP) == 0) {  // then so it stays along the row
                    std::memcpy(row + at, above + at, BLOCK);
                    at += BLOCK;
                    continue;
                }
                if (std::memcmp(above + at - STEP, above + at, BLOCK) == 0) {  // above is a run: the left one is nearest
                    fill<STEP>(row, at);
                    at += BLOCK;
                    continue;
                }
            }
            const size_t stop = at + BLOCK < width ? at + BLOCK : width;
            for (; at < stop; ++at) row[at] = uint8_t(raw[at] + nearest(row[at - STEP], above[at], above[at - STEP]));
        }
        return true;
    default:
        return false;
    }
}

// Bytes of a row -> numbers; those of two bytes are stored with the larger part first.
void store(const uint8_t *row, size_t width, uint8_t *pixels) { std::memcpy(pixels, row, width); }

void store(const uint8_t *row, size_t width, uint16_t *pixels) {
    for (size_t x = 0; x < width / 2; ++x) pixels[x] = uint16_t(row[2 * x] << 8 | row[2 * x + 1]);
}

template <typename Pixel> bool unfilter(const uint8_t *raw, Pixel *pixels, size_t width, size_t height) {
    constexpr int STEP = sizeof(Pixel);
    std::vector<uint8_t> one(width + STEP), other(width + STEP);
    uint8_t *above = one.data() + STEP, *row = other.data() + STEP;
    for (size_t y = 0; y < height; ++y, raw += width + 1, pixels += width / STEP) {
        if (!undo<STEP>(raw[0], raw + 1, above, row, width)) return false;
        store(row, width, pixels);
        std::swap(above, row);
    }
    return true;
}

}  // namespace

// Decodes an image of `height` rows of `width` bytes with 1 or 2 bytes a pixel (`step`) from the zlib stream of all its
// IDAT chunks. `pixels` has room for height * width bytes. 0 if all went well.
extern "C" int decode_png(const uint8_t *stream, long size, long width, long height, long step, void *pixels) {
    if (size < 6 || (stream[0] & 15) != 8 || (stream[0] * 256 + stream[1]) % 31 != 0 || (stream[1] & 32)) return 1;
    static thread_local Inflater inflater;
    static thread_local std::vector<uint8_t> raw;  // kept: fresh memory takes longer than the work on it
    const size_t length = size_t(height) * size_t(width + 1);
    if (raw.size() < length) raw.resize(length);
    inflater.bits = Bits{stream + 2, stream + size};
    inflater.out = raw.data();
    inflater.size = length;
    inflater.done = 0;
    if (!inflater.run()) return 2;
    Bits &bits = inflater.bits;
    bits.take(bits.count % 8);
    uint32_t check = 0;
    for (int i = 0; i < 4; ++i) {
        bits.refill();
        check = check << 8 | bits.take(8);
    }
    if (bits.ran_out() || check != adler(raw.data(), length)) return 3;
    const bool fine = step == 1 ? unfilter(raw.data(), static_cast<uint8_t *>(pixels), size_t(width), size_t(height))
                                : unfilter(raw.data(), static_cast<uint16_t *>(pixels), size_t(width), size_t(height));
    return fine ? 0 : 4;
}
