"""Fast operators that blocks and models share, each with a reference implementation in plain PyTorch."""
