"""What `foveate predict` writes and how, for the command line and for what writes."""

from __future__ import annotations

from dataclasses import dataclass

from foveate.pipeline.errors import ConfigError
from foveate.plugins.hints import did_you_mean

LABELS = "labels"
FOLDERS = {  # output -> folder, and ending of its files
    LABELS: ("labels", ".png"),
    "palette": ("palette", ".png"),
    "overlay": ("overlays", ""),
    "confidence": ("confidence", ".png"),
    "probabilities": ("probabilities", ".npz"),
    "polygons": ("polygons", ".json"),
    "geojson": ("geojson", ".geojson"),
}
SHARES = "shares"  # one table of all images
OUTPUTS = (*FOLDERS, SHARES)
DEFAULT = (LABELS, "overlay")


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Options of `foveate predict`.

    Attributes:
        outputs: What is written of each image; None for the default.
        classes: The classes whose probabilities are written; empty for all.
        resume: Whether images are left out that have all their files.
        every: Of a video, every n-th frame goes through the network.
    """

    outputs: tuple[str, ...] | None = None
    classes: tuple[str, ...] = ()
    resume: bool = False
    every: int = 1

    def __post_init__(self) -> None:
        unknown = [name for name in self.outputs or () if name not in OUTPUTS]
        if unknown or self.outputs == ():
            given = unknown[0] if unknown else ""
            hint = did_you_mean(given, OUTPUTS)
            raise ConfigError(f"--outputs: no output {given!r}{hint} (accepted: {', '.join(OUTPUTS)})")
        if self.every < 1:
            raise ConfigError(f"--every is at least 1, not {self.every}")
        if self.classes and "probabilities" not in (self.outputs or ()):
            raise ConfigError("--classes chooses classes of --outputs probabilities; give that too")

    @property
    def given(self) -> bool:
        """Whether an option for label maps is given."""
        return self.outputs is not None or self.resume
