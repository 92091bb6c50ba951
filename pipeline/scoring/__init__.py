"""Scores of label files by the rules of the benchmarks, and submissions to their servers."""
