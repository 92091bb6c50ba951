// Inflates a deflate stream whose length is known beforehand. Sources: RFC 1951.
//
// The tables hold up to two literals in one entry, the stream is read eight bytes at a time, and matches are copied in
// blocks; near either end, where that would read or write too far, one symbol and one byte are taken at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace inflating {

constexpr size_t SLACK = 64;  // bytes behind the output that may be overwritten
constexpr int LITERAL_BITS = 11, DISTANCE_BITS_READ = 9, LONGEST = 15;

// Bits of the stream, least significant first. Beyond its end come zeros, which are counted.
struct Bits {
    const uint8_t *next, *end;
    uint64_t held = 0;
    int count = 0, missing = 0;

    void refill() {  // to 56 bits and more
        if (end - next >= 8) {
            uint64_t word;
            std::memcpy(&word, next, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
            word = __builtin_bswap64(word);
#endif
            held |= word << count;
            next += (63 - count) >> 3;
            count |= 56;
            return;
        }
        while (count <= 55) {
            if (next < end) held |= uint64_t(*next++) << count;
            else ++missing;
            count += 8;
        }
    }
    void drop(int bits) {
        held >>= bits;
        count -= bits;
    }
    uint32_t take(int bits) {
        const uint32_t value = uint32_t(held & ((uint64_t(1) << bits) - 1));
        drop(bits);
        return value;
    }
    bool ran_out() const { return missing * 8 > count; }
    void to_byte() {
        // whole bytes that are held were not asked for yet: they stay held
        drop(count & 7);
    }
};

// What an entry stands for; the rest of it is a number (two literals, a base, the place of a longer code's table), the
// count of further bits, and the count of bits of the code.
enum Kind : uint32_t { LITERAL = 0, PAIR = 1, NUMBER = 2, END = 3, LONG = 4, NOTHING = 5 };

constexpr uint32_t entry(Kind kind, uint32_t value, uint32_t extra, uint32_t bits) {
    return value << 16 | kind << 12 | extra << 8 | bits;
}
inline Kind kind_of(uint32_t e) { return Kind(e >> 12 & 15); }
inline int bits_of(uint32_t e) { return int(e & 255); }
inline int extra_of(uint32_t e) { return int(e >> 8 & 15); }
inline uint32_t value_of(uint32_t e) { return e >> 16; }

// A prefix code: a table of the next READ bits, and behind it tables for the codes that are longer.
template <int READ, int SYMBOLS> struct Code {
    uint32_t table[(1 << READ) + (SYMBOLS << (LONGEST - READ))];

    // `meaning` gives the entry of a symbol, without its bits. What no code leads to is NOTHING.
    template <typename Meaning> bool build(const uint8_t *lengths, int symbols, Meaning meaning) {
        int of_length[LONGEST + 1] = {0};
        for (int s = 0; s < symbols; ++s) ++of_length[lengths[s]];
        of_length[0] = 0;
        int first[LONGEST + 2] = {0}, left = 1;
        for (int length = 1; length <= LONGEST; ++length) {
            left = 2 * left - of_length[length];
            if (left < 0) return false;  // more codes than fit
            first[length + 1] = (first[length] + of_length[length]) << 1;
        }
        int codes = 0;
        for (int length = 1; length <= LONGEST; ++length) codes += of_length[length];
        if (left > 0 && codes > 1) return false;  // as zlib: only a single code may leave places unused
        int longest = LONGEST;
        while (longest > READ && of_length[longest] == 0) --longest;
        if (left > 0 || longest > READ) for (int i = 0; i < 1 << READ; ++i) table[i] = NOTHING << 12 | 1;
        const int beyond = longest > READ ? longest - READ : 0;  // bits that tables of longer codes read
        uint32_t used = 1 << READ;
        for (int s = 0; s < symbols; ++s) {
            const int length = lengths[s];
            if (length == 0) continue;
            const uint32_t reversed = reverse(uint32_t(first[length]++), length);
            if (length <= READ) {
                const uint32_t e = meaning(s) | uint32_t(length);
                for (uint32_t at = reversed; at < 1u << READ; at += 1u << length) table[at] = e;
                continue;
            }
            uint32_t &head = table[reversed & ((1 << READ) - 1)];
            if (kind_of(head) != LONG) {
                if (used + (1u << beyond) > sizeof table / sizeof *table) return false;
                for (int i = 0; i < 1 << beyond; ++i) table[used + uint32_t(i)] = NOTHING << 12 | 1;
                head = entry(LONG, used, uint32_t(beyond), READ);
                used += 1u << beyond;
            }
            const uint32_t e = meaning(s) | uint32_t(length - READ);
            for (uint32_t at = reversed >> READ; at < 1u << beyond; at += 1u << (length - READ)) table[value_of(head) + at] = e;
        }
        return true;
    }

    // Entries of a literal whose remaining bits are those of another one become entries of both.
    void pair() {
        for (int i = (1 << READ) - 1; i >= 0; --i) {  // from the end: what is read lies below and is single still
            const uint32_t e = table[i];
            if (kind_of(e) != LITERAL) continue;
            const uint32_t other = table[i >> bits_of(e)];
            const int bits = bits_of(e) + bits_of(other);
            if (kind_of(other) == LITERAL && bits <= READ)
                table[i] = entry(PAIR, value_of(e) | value_of(other) << 8, 0, uint32_t(bits));
        }
    }

    uint32_t find(Bits &bits) const {  // the entry of the next code, which is dropped
        uint32_t e = table[bits.held & ((1 << READ) - 1)];
        if (kind_of(e) == LONG) {
            bits.drop(READ);
            e = table[value_of(e) + (bits.held & ((1u << extra_of(e)) - 1))];
        }
        bits.drop(bits_of(e));
        return e;
    }

    static uint32_t reverse(uint32_t code, int length) {
        uint32_t reversed = 0;
        for (int bit = 0; bit < length; ++bit, code >>= 1) reversed = reversed << 1 | (code & 1);
        return reversed;
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

inline uint32_t literal_meaning(int s) {
    if (s < 256) return entry(LITERAL, uint32_t(s), 0, 0);
    if (s == 256) return entry(END, 0, 0, 0);
    return s > 285 ? entry(NOTHING, 0, 0, 0) : entry(NUMBER, LENGTHS[s - 257], LENGTH_BITS[s - 257], 0);
}
inline uint32_t distance_meaning(int s) {
    return s > 29 ? entry(NOTHING, 0, 0, 0) : entry(NUMBER, DISTANCES[s], DISTANCE_BITS[s], 0);
}
inline uint32_t length_meaning(int s) { return entry(LITERAL, uint32_t(s), 0, 0); }

struct Inflater {
    Bits bits;
    uint8_t *out;  // `size` bytes, and SLACK more
    size_t size, done = 0;
    Code<LITERAL_BITS, 288> literals;
    Code<DISTANCE_BITS_READ, 32> distances;

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
        bits.to_byte();
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
        uint8_t lengths[288], five[32];
        for (int s = 0; s < 288; ++s) lengths[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
        std::memset(five, 5, sizeof five);
        if (!literals.build(lengths, 288, literal_meaning) || !distances.build(five, 32, distance_meaning)) return false;
        literals.pair();
        return true;
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
        if (!distances.build(lengths, 19, length_meaning)) return false;  // for the moment, the code of the lengths
        std::memset(lengths, 0, sizeof lengths);
        for (int at = 0; at < literal_count + distance_count;) {
            bits.refill();
            const uint32_t e = distances.find(bits);
            const int symbol = int(value_of(e));
            if (kind_of(e) != LITERAL || (symbol == 16 && at == 0)) return false;
            if (symbol < 16) {
                lengths[at++] = uint8_t(symbol);
                continue;
            }
            const uint8_t value = symbol == 16 ? lengths[at - 1] : 0;
            int repeat = symbol == 16 ? 3 + int(bits.take(2)) : symbol == 17 ? 3 + int(bits.take(3)) : 11 + int(bits.take(7));
            if (repeat > literal_count + distance_count - at) return false;
            while (repeat-- > 0) lengths[at++] = value;
        }
        if (lengths[256] == 0 || !literals.build(lengths, literal_count, literal_meaning)) return false;
        literals.pair();
        return distances.build(lengths + literal_count, distance_count, distance_meaning);
    }

    bool coded() {
        Bits b = bits;  // held in registers
        uint8_t *to = out + done, *const stop = out + size;
        bool fine = false;
        for (;;) {
            b.refill();
            if (b.missing && b.ran_out()) break;
            uint32_t e = literals.table[b.held & ((1 << LITERAL_BITS) - 1)];
            // 56 bits are held: two entries of literals (11 each) leave 34, a third that may be anything has 15 at most
            if (kind_of(e) <= PAIR) {
                b.drop(bits_of(e));
                if (stop - to < 8) {
                    if (stop - to < 1 + ptrdiff_t(kind_of(e))) break;
                    *to++ = uint8_t(value_of(e));
                    if (kind_of(e) == PAIR) *to++ = uint8_t(value_of(e) >> 8);
                    continue;
                }
                put(to, e);
                e = literals.table[b.held & ((1 << LITERAL_BITS) - 1)];
                if (kind_of(e) <= PAIR) {
                    b.drop(bits_of(e));
                    put(to, e);
                    e = literals.table[b.held & ((1 << LITERAL_BITS) - 1)];
                    if (kind_of(e) <= PAIR) {
                        b.drop(bits_of(e));
                        put(to, e);
                        continue;
                    }
                }
                b.refill();
            }
            if (kind_of(e) == LONG) {
                b.drop(LITERAL_BITS);
                e = literals.table[value_of(e) + (b.held & ((1u << extra_of(e)) - 1))];
            }
            b.drop(bits_of(e));
            if (kind_of(e) == LITERAL) {
                if (to == stop) break;
                *to++ = uint8_t(value_of(e));
                continue;
            }
            if (kind_of(e) != NUMBER) {
                fine = kind_of(e) == END;
                break;
            }
            const size_t length = value_of(e) + b.take(extra_of(e));
            const uint32_t far = distances.find(b);  // 56 bits were held: 15 + 5 + 15 + 13 are taken at most
            if (kind_of(far) != NUMBER) break;
            const size_t distance = value_of(far) + b.take(extra_of(far));
            if (distance > size_t(to - out) || length > size_t(stop - to)) break;
            copy(to, distance, length);
            to += length;
        }
        bits = b;
        done = size_t(to - out);
        return fine;
    }

    // Writes the literals of an entry; of a single one the second byte is overwritten by what follows.
    static void put(uint8_t *&to, uint32_t e) {
        to[0] = uint8_t(value_of(e));
        to[1] = uint8_t(value_of(e) >> 8);
        to += 1 + kind_of(e);
    }

    static void copy(uint8_t *to, size_t distance, size_t length) {
        const uint8_t *from = to - distance;
        if (distance >= 16) {
            for (size_t at = 0; at < length; at += 16) std::memcpy(to + at, from + at, 16);
            return;
        }
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

inline uint32_t adler(const uint8_t *data, size_t size) {
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

}  // namespace inflating
