"""What a server counts, in the text format of Prometheus."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32)


class Histogram:
    """Counts values by upper bounds.

    Args:
        name: Of the metric.
        summary: What it tells.
        bounds: Upper bounds, rising; values above the last one are counted too.
    """

    def __init__(self, name: str, summary: str, bounds: Sequence[float]) -> None:
        self.name, self.summary, self.bounds = name, summary, tuple(bounds)
        self._counts = [0] * (len(self.bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        """Count a value."""
        place = next((place for place, bound in enumerate(self.bounds) if value <= bound), len(self.bounds))
        with self._lock:
            self._counts[place] += 1
            self._sum += value

    def lines(self) -> list[str]:
        """The metric as text."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        lines, reached = [f"# HELP {self.name} {self.summary}", f"# TYPE {self.name} histogram"], 0
        for bound, count in zip((*self.bounds, float("inf")), counts, strict=True):
            reached += count
            label = "+Inf" if bound == float("inf") else f"{bound:g}"
            lines.append(f'{self.name}_bucket{{le="{label}"}} {reached}')
        return [*lines, f"{self.name}_sum {total:.6f}", f"{self.name}_count {reached}"]


class Metrics:
    """Requests by status, their seconds, and sizes of batches.

    Args:
        gauges: Name -> what it tells, and its value now.

    Example:
        >>> metrics = Metrics({})
        >>> metrics.answered(200, 0.03)
        >>> [line for line in metrics.text().splitlines() if "total{" in line]
        ['foveate_requests_total{code="200"} 1']
    """

    def __init__(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        self.gauges = dict(gauges)
        self.batches = Histogram("foveate_batch_size", "Images that went through the network together.", SIZES)
        self.seconds = Histogram("foveate_request_seconds", "Seconds from a request to its answer.", SECONDS)
        self._codes: Counter[int] = Counter()
        self._lock = threading.Lock()

    def answered(self, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            status: Of HTTP.
            seconds: From its start to its answer.
        """
        with self._lock:
            self._codes[status] += 1
        self.seconds.add(seconds)

    def text(self) -> str:
        """All metrics, in the text format of Prometheus."""
        name = "foveate_requests_total"
        lines = [f"# HELP {name} Requests for a prediction, by status.", f"# TYPE {name} counter"]
        with self._lock:
            lines += [f'{name}{{code="{code}"}} {count}' for code, count in sorted(self._codes.items())]
        for gauge, (summary, value) in self.gauges.items():
            lines += [f"# HELP {gauge} {summary}", f"# TYPE {gauge} gauge", f"{gauge} {value():g}"]
        return "\n".join([*lines, *self.seconds.lines(), *self.batches.lines(), ""])
