// How many threads the kernels take that are called next from the same thread.
#include "vectors.h"

extern "C" void use_threads(int count) { threads = count < 1 ? 1 : count; }
