"""The HTTP library under the openai client, whose errors come through where a body is read.

Which one it is depends on the client's version (httpx, httpx2), so the errors of each that it has
imported count.
"""

import sys

import openai  # noqa: F401  imports the one it uses

_LIBRARIES = [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]

HTTP_ERRORS: tuple[type[Exception], ...] = tuple(
    connection_errors.HTTPError for connection_errors in _LIBRARIES
)
TIMEOUTS: tuple[type[Exception], ...] = tuple(
    connection_errors.TimeoutException for connection_errors in _LIBRARIES
)
NOT_CONNECTED: tuple[type[Exception], ...] = tuple(
    error
    for connection_errors in _LIBRARIES
    for error in (connection_errors.ConnectTimeout, connection_errors.PoolTimeout)
)
"""Time-outs before the request was sent."""
