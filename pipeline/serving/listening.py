"""The address at which a server listens, and how it is given up without losing a connection."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

from foveate.pipeline.errors import ConfigError

ATTEMPTS = 50
MOMENT = 0.02  # seconds; a connection to oneself takes less


def listen(host: str, port: int) -> socket.socket:
    """Take an address, so that it is known to be free before a model is loaded.

    Args:
        host: Name or address of this machine.
        port: 0 for any free one.

    Raises:
        ConfigError: It is taken, or not of this machine.
    """
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port is from 0 to 65535, not {port}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error}; choose another --port, or 0 for any") from error


def drain(listener: socket.socket, close: Callable[[], object]) -> Iterator[socket.socket]:
    """Close a listener, and give the connections that waited to be taken.

    The kernel makes connections by itself, and closing a listener resets those that nobody has taken, with the
    requests that were sent over them. So the queue is cut to one place, and emptied until a connection of our own
    has that place: then every other client is made to wait, and is refused once the listener is closed.

    Args:
        listener: It does not block.
        close: Closes it.
    """
    with suppress(OSError):
        listener.listen(0)
    for _ in range(ATTEMPTS):
        yield from _waiting(listener)
        with socket.socket(listener.family, socket.SOCK_STREAM) as own:
            own.setblocking(False)
            own.connect_ex(listener.getsockname())
            _, is_made, _ = select.select([], [own], [], MOMENT)
            if is_made and own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                close()  # while our own connection is there
                return
    close()


def _waiting(listener: socket.socket) -> Iterator[socket.socket]:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # none is left
            return
        connection.setblocking(False)
        yield connection
