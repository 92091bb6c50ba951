"""Signals, and the processes that train together: how they end as one, and how the first failure is told."""
