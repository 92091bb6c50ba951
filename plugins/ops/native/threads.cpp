// Set the number of threads for the kernels that this thread calls afterwards.
#include "vectors.h"

extern "C" void use_threads(int count) { threads = count < 1 ? 1 : count; }
