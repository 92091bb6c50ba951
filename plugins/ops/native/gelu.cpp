// Forward and backward pass of GELU, on dense tensors of any shape.
#include <algorithm>

#include "vectors.h"

namespace {

constexpr long CHUNK = 4096;  // values that a thread processes at a time

template <class Each>
void in_chunks(long count, Each each) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long first = 0; first < count; first += CHUNK)
        for (long at = first; at < std::min(count, first + CHUNK); at += LANES) each(at, count - at);
}

}  // namespace

// sizes: number of values
extern "C" {
void gelu_forward_bfloat16(const long* sizes, const bfloat16* x, bfloat16* out) {
    in_chunks(sizes[0], [=](long at, long left) {
        store_part(out + at, gelu<bfloat16>(load_part(x + at, left)), left);
    });
}
void gelu_backward_bfloat16(const long* sizes, const bfloat16* x, const bfloat16* grad, bfloat16* out) {
    in_chunks(sizes[0], [=](long at, long left) {
        store_part(out + at, load_part(grad + at, left) * gelu_slope<bfloat16>(load_part(x + at, left)), left);
    });
}
}
