"""The image in a request: its whole body, or a file of a form."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from foveate.pipeline.serving.refusal import Refused

FORM = "multipart/form-data"
DROPPED = 8  # times the limit: that much of a body which is too large is read and dropped, so that the client, which
# sends first and reads then, gets to see the answer


async def image_bytes(request: Request, limit: int) -> bytes:
    """The bytes of the image that a client sent.

    Args:
        request: The request.
        limit: Largest body.

    Raises:
        Refused: There is none, or the body is too large.
    """
    body = await _body(request, limit)
    if request.headers.get("content-type", "").startswith(FORM):
        body = await _file_of_form(request, body)
    if not body:
        raise Refused(400, "the request holds no bytes; send those of an image, as the body or as a file of a form")
    return body


async def _body(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isdecimal() else 0
    chunks: list[bytes] = []
    received = 0
    if size <= limit * DROPPED:
        async for chunk in request.stream():
            received += len(chunk)
            if received <= limit:
                chunks.append(chunk)
            elif received > limit * DROPPED:
                break
    if max(size, received) > limit:
        raise Refused(413, f"the request has more than the {limit:,} bytes allowed; send a smaller or compressed image")
    return b"".join(chunks)


async def _file_of_form(request: Request, body: bytes) -> bytes:
    """The first file of a form, whatever its field is called."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, receive).form(max_files=1, max_fields=8) as form:
            async for content in _files(list(form.values())):
                return content
    except HTTPException as error:
        raise Refused(400, f"the form cannot be read: {error.detail}") from error
    raise Refused(400, "the form holds no file; send the image as a file, such as curl -F image=@photo.jpg")


async def _files(values: list[Any]) -> AsyncIterator[bytes]:
    for value in values:
        if isinstance(value, UploadFile):
            yield await value.read()
