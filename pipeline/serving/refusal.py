"""Requests that get no prediction: a status of HTTP and a reason."""

from __future__ import annotations

from PIL import UnidentifiedImageError

from foveate.datasets.errors import DataError, TooLargeError
from foveate.pipeline.errors import ConfigError, UnusableDataError

FORMATS = "PNG, JPEG, WebP, TIFF or BMP"


class Refused(Exception):
    """A request that gets no prediction.

    Args:
        status: Of HTTP: 4xx if another request may succeed, 503 if the same one may later.
        reason: What was given, what is accepted.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def refusal_of(error: Exception) -> Refused | None:
    """The refusal that tells a client of an error with its image; None for an error of the server.

    Args:
        error: Raised while an image was decoded, or by the model.
    """
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__
    if any(isinstance(one, UnidentifiedImageError) for one in chain):
        return Refused(415, f"the body is no image of a known format; send the bytes of a {FORMATS} file")
    if any(isinstance(one, TooLargeError) for one in chain):
        return Refused(413, f"{str(error).partition(';')[0]}; send a smaller one")  # the rest is advice on recipes
    return Refused(400, str(error)) if isinstance(error, DataError | UnusableDataError | ConfigError) else None
