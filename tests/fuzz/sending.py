"""A request to the service, and the answer to it."""

import contextlib
import http.client
import threading
from dataclasses import dataclass, field

KEY = "the-fuzzers-own-key"
JSON = "application/json"
MODEL = "/v2/models/name-classifier"
POSTS = {
    "/get_prediction": JSON,
    "/v1/predict": JSON,
    "/v1/explain": JSON,
    "/v1/feedback": JSON,
    f"{MODEL}/infer": JSON,
    "/v1/predict/stream": "application/x-ndjson",
    "/v1/predict/file": "text/csv",
}
"""The routes that take a body, and its media type."""
TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Request:
    """A request, which gets the key and its route's media type unless it has others."""

    name: str
    method: str
    target: str
    headers: dict[str, bytes] = field(default_factory=dict)
    body: bytes = b""
    statuses: frozenset[int] = frozenset()
    """What its answer may have; any if empty."""


@dataclass(frozen=True)
class Answer:
    """An answer; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """Sends requests to a port of the loopback interface, on one connection a thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._local = threading.local()

    def send(self, request: Request) -> Answer:
        """Return the answer. Raises OSError or HTTPException if there is none."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
            self._local.connection = connection
        try:
            return _exchange(connection, request)
        except (OSError, http.client.HTTPException):  # it may have been closed while it was idle
            connection.close()
            return _exchange(connection, request)


def _exchange(connection: http.client.HTTPConnection, request: Request) -> Answer:
    headers = {"host": b"localhost", "x-api-key": KEY.encode()}
    if request.method == "POST":
        headers["content-length"] = str(len(request.body)).encode()
        if media_type := POSTS.get(request.target.partition("?")[0]):
            headers["content-type"] = media_type.encode()
    elif request.body:
        headers["content-length"] = str(len(request.body)).encode()
    connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in (headers | request.headers).items():
        connection.putheader(name, value)
    with contextlib.suppress(ConnectionError):  # refused before all of it was sent: the answer is there
        connection.endheaders(request.body or None)
    response = connection.getresponse()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
