"""Kernels in C++ for training on a CPU, compiled on the machine that they run on; there is a plain way beside each.

Nothing is compiled before it is used, and what was compiled is kept (see `compiled.cache_folder`). Without a compiler,
on Windows, or with FOVEATE_NATIVE=0 in the environment, the plain ways are taken.
"""
