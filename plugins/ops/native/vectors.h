// Vectors of sixteen float32 numbers, loaded from any storage type; the compiler maps them to the processor's vectors.
#pragma once
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>
#if defined(__AVX512F__) && defined(__AVX512VL__)
#include <immintrin.h>
#endif

inline thread_local int threads = 1;  // number of threads of a kernel, set by the caller (use_threads)

constexpr long LANES = 16;
typedef float Vector __attribute__((vector_size(64)));
typedef int32_t Whole __attribute__((vector_size(64)));
typedef uint32_t Bits __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));

struct bfloat16 {
    uint16_t bits;
};

// Arrays aligned to cache lines: a vector that crosses a line takes twice as long to load.
template <class T>
struct OnLine {
    typedef T value_type;
    T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(64))); }
    void deallocate(T* values, size_t) { ::operator delete(values, std::align_val_t(64)); }
    bool operator==(const OnLine&) const { return true; }
    bool operator!=(const OnLine&) const { return false; }
};
typedef std::vector<float, OnLine<float>> Floats;

static inline Vector spread(float value) { return value - Vector{}; }  // not plus, which is work: -0 + 0 is 0

static inline Vector load(const float* from) {
    Vector out;
    memcpy(&out, from, sizeof out);
    return out;
}

static inline Vector load(const bfloat16* from) {
#if defined(__AVX512F__) && defined(__AVX512VL__)  // compilers need four instructions for these two
    return (Vector)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)from)), 16);
#else
    Halves halves;
    memcpy(&halves, from, sizeof halves);
    return (Vector)(__builtin_convertvector(halves, Bits) << 16);
#endif
}

static inline Halves to_halves(Vector value) {
#if defined(__AVX512BF16__) && defined(__AVX512VL__)
    return (Halves)_mm512_cvtneps_pbh((__m512)value);
#else
    const Bits bits = (Bits)value;
    const Bits rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;  // to nearest, ties to even
    const Bits nan = (Bits)(value != value);
    return __builtin_convertvector((rounded & ~nan) | (nan & 0x7fc0u), Halves);
#endif
}

static inline void store(float* to, Vector value) { memcpy(to, &value, sizeof value); }
static inline void store(bfloat16* to, Vector value) {
    const Halves halves = to_halves(value);
    memcpy(to, &halves, sizeof halves);
}

// Load the first `count` of sixteen numbers; the others are zero.
template <class T>
static inline Vector load_part(const T* from, long count) {
    if (count >= LANES) return load(from);
    T whole[LANES] = {};
    memcpy(whole, from, count * sizeof(T));
    return load(whole);
}

template <class T>
static inline void store_part(T* to, Vector value, long count) {
    if (count >= LANES) return store(to, value);
    T whole[LANES];
    store(whole, value);
    memcpy(to, whole, count * sizeof(T));
}

static inline Vector choose(Whole where, Vector yes, Vector no) {
    return (Vector)(((Whole)yes & where) | ((Whole)no & ~where));
}

// exp(x), to about one unit in the last place; 0 below -87 (denormal numbers are slow), and exp(88) above 88.
static inline Vector exponential(Vector x) {
    const Whole tiny = x < spread(-87.0f);
    x = choose(x > spread(88.0f), spread(88.0f), x);
    const Vector magic = spread(12582912.0f);  // adding and subtracting it rounds to an integer
    const Vector power = (x * 1.44269504f + magic) - magic;
    const Vector rest = (x - power * 0.693359375f) - power * -2.12194440e-4f;
    Vector sum = spread(1.9875691500e-4f);
    sum = sum * rest + 1.3981999507e-3f;
    sum = sum * rest + 8.3334519073e-3f;
    sum = sum * rest + 4.1665795894e-2f;
    sum = sum * rest + 1.6666665459e-1f;
    sum = sum * rest + 5.0000001201e-1f;
    sum = sum * rest * rest + rest + 1.0f;
    const Whole shift = (__builtin_convertvector(power, Whole) + 127) << 23;
    return choose(tiny, Vector{}, sum * (Vector)shift);
}

// The standard normal distribution: cumulative probability at x, and density times sqrt(2 pi).
// Abramowitz and Stegun, 7.1.26; error at most 1e-7.
struct Normal {
    Vector share, bell;
};

static inline Normal normal(Vector x) {
    const Vector size = (Vector)((Bits)x & 0x7fffffffu);
    const Vector bell = exponential(size * size * -0.5f);
    const Vector t = 1.0f / (1.0f + 0.23164190f * size);
    Vector tail = spread(0.5f * 1.061405429f);
    tail = tail * t + 0.5f * -1.453152027f;
    tail = tail * t + 0.5f * 1.421413741f;
    tail = tail * t + 0.5f * -0.284496736f;
    tail = tail * t + 0.5f * 0.254829592f;
    tail = tail * t * bell;
    return {choose(x < Vector{}, tail, 1.0f - tail), bell};
}

// GELU and its derivative, to the precision of type T.
template <class T>
static inline Vector gelu(Vector x) {
    return x * normal(x).share;
}

template <class T>
static inline Vector gelu_slope(Vector x) {
    const Normal at = normal(x);
    return at.share + x * at.bell * 0.39894228f;
}

// For bfloat16, the cumulative probability and the derivative, minus one half, are x times a polynomial of x squared
// (ours, minimax fit on -5 to 5, constant outside): errors 1e-6 and 1.3e-5, a third of the instructions.
template <long COUNT>
static inline Vector odd_polynomial(Vector x, const float (&of)[COUNT]) {
    x = spread(5.0f) < x ? spread(5.0f) : x;
    x = spread(-5.0f) > x ? spread(-5.0f) : x;
    const Vector at = x * x * 0.08f - 1.0f;
    Vector sum = spread(of[0]);
    for (long k = 1; k < COUNT; k++) sum = sum * at + of[k];
    return sum * x;
}

template <>
inline Vector gelu<bfloat16>(Vector x) {
    constexpr float of[] = {-0.00137215856f, 0.00342807293f, -0.00328813197f, 0.00462808135f, -0.0106222673f,
                            0.0172558895f,   -0.0234793479f, 0.0312586038f,   -0.0404097083f, 0.0515348412f,
                            -0.0702976893f,  0.141363608f};
    return x * (0.5f + odd_polynomial(x, of));
}

template <>
inline Vector gelu_slope<bfloat16>(Vector x) {
    constexpr float of[] = {-0.0207136485f, 0.0465121037f,  -0.0277383968f, 0.0212338949f,  -0.0684324235f,
                            0.09511545f,    -0.0853617324f, 0.0770907986f,  -0.0715409084f, 0.0668260261f,
                            -0.0751228266f, 0.142130583f};
    return 0.5f + odd_polynomial(x, of);
}
