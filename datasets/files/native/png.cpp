// Decodes the pixels of PNG files: grey and palette of 8 and 16 bits, RGB of 8 bits. Whatever is unusual or damaged
// ends with a code other than 0, and the caller takes another decoder.
//
// Label maps are long runs of one number: there filters are undone in blocks. Photos are not: there the three channels
// of a pixel are one vector. Sources: RFC 1950 (zlib), the PNG specification, section 9 (filters).

#include "inflate.h"

#include <utility>
#include <vector>

namespace {

constexpr int BLOCK = 16;              // bytes filled at once
constexpr size_t MOST_KEPT = 1 << 25;  // bytes of a buffer that a thread keeps from image to image

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

constexpr int RGB = 3;

typedef uint8_t Bytes __attribute__((vector_size(4)));
typedef int16_t Shorts __attribute__((vector_size(8)));

// Four bytes from the first of a pixel's three; the fourth belongs to the next pixel, and is no part of the result.
Bytes read(const uint8_t *at) {
    Bytes pixel;
    std::memcpy(&pixel, at, 4);
    return pixel;
}
void write(uint8_t *at, Bytes pixel) { std::memcpy(at, &pixel, RGB); }

Shorts wide(Bytes pixel) { return __builtin_convertvector(pixel, Shorts); }
Shorts size_of(Shorts x) { return x < 0 ? -x : x; }

// `width` is that of the row in bytes; behind `raw` and `above` a byte more may be read.
bool undo_rgb(int filter, const uint8_t *raw, const uint8_t *above, uint8_t *row, size_t width) {
    Bytes left = {0, 0, 0, 0};
    switch (filter) {
    case 0:
        std::memcpy(row, raw, width);
        return true;
    case 1:
        for (size_t at = 0; at < width; at += RGB) write(row + at, left += read(raw + at));
        return true;
    case 2:
        for (size_t at = 0; at < width; ++at) row[at] = uint8_t(raw[at] + above[at]);
        return true;
    case 3:
        for (size_t at = 0; at < width; at += RGB) {
            const Bytes b = read(above + at);
            left = read(raw + at) + ((left & b) + ((left ^ b) >> 1));
            write(row + at, left);
        }
        return true;
    case 4: {
        Shorts a = {0, 0, 0, 0}, c = {0, 0, 0, 0};
        for (size_t at = 0; at < width; at += RGB) {
            const Shorts b = wide(read(above + at));
            const Shorts to_a = size_of(b - c), to_b = size_of(a - c), to_c = size_of(a + b - c - c);
            const Shorts of_both = to_b <= to_c ? b : c;
            const Shorts guess = (to_a <= to_b) & (to_a <= to_c) ? a : of_both;
            a = (guess + wide(read(raw + at))) & 255;
            c = b;
            write(row + at, __builtin_convertvector(a, Bytes));
        }
        return true;
    }
    default:
        return false;
    }
}

// Each row is written where it belongs, and is then the one above the next.
bool unfilter_rgb(const uint8_t *raw, uint8_t *pixels, size_t width, size_t height) {
    const std::vector<uint8_t> zeros(width + 1);
    const uint8_t *above = zeros.data();
    for (size_t y = 0; y < height; ++y, raw += width + 1, pixels += width) {
        if (!undo_rgb(raw[0], raw + 1, above, pixels, width)) return false;
        above = pixels;
    }
    return true;
}

}  // namespace

// Decodes an image of `height` rows of `width` bytes with 1, 2 or 3 bytes a pixel (`step`) from the zlib stream of all
// its IDAT chunks. `pixels` has room for height * width bytes. 0 if all went well.
extern "C" int decode_png(const uint8_t *stream, long size, long width, long height, long step, void *pixels) {
    if (size < 6 || (stream[0] & 15) != 8 || (stream[0] * 256 + stream[1]) % 31 != 0 || (stream[1] & 32)) return 1;
    static thread_local inflating::Inflater inflater;
    static thread_local std::vector<uint8_t> kept;  // fresh memory takes longer than the work on it
    std::vector<uint8_t> large;
    const size_t length = size_t(height) * size_t(width + 1);
    std::vector<uint8_t> &raw = length > MOST_KEPT ? large : kept;
    if (raw.size() < length + inflating::SLACK) raw.resize(length + inflating::SLACK);
    inflater.bits = inflating::Bits{stream + 2, stream + size};
    inflater.out = raw.data();
    inflater.size = length;
    inflater.done = 0;
    if (!inflater.run()) return 2;
    inflating::Bits &bits = inflater.bits;
    bits.to_byte();
    uint32_t check = 0;
    for (int i = 0; i < 4; ++i) {
        bits.refill();
        check = check << 8 | bits.take(8);
    }
    if (bits.ran_out() || check != inflating::adler(raw.data(), length)) return 3;
    const size_t w = size_t(width), h = size_t(height);
    const bool fine = step == 3   ? unfilter_rgb(raw.data(), static_cast<uint8_t *>(pixels), w, h)
                      : step == 2 ? unfilter(raw.data(), static_cast<uint16_t *>(pixels), w, h)
                                  : unfilter(raw.data(), static_cast<uint8_t *>(pixels), w, h);
    return fine ? 0 : 4;
}
