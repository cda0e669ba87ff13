"""Send mixed load to the service until SIGTERM, then print as JSON what was sent, what failed and what took longest.

Runs inside the cluster on the image's own Python: `python -c "$(cat load.py)" URL [KIND=CLIENTS ...]`. The kinds:
`compat` and `v1`, one name each, the former over a connection a request, the latter over a kept one; `lists` of 1,000
names; `stream`, a line at a time; `pour`, a stream as fast as it goes; `unread`, lists whose answers nobody reads.
"""

import http.client
import json
import signal
import socket
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Sequence

CLIENTS = {"compat": 2, "v1": 2, "lists": 1, "stream": 2}
PAUSES = {"compat": 0.04, "v1": 0.04, "lists": 1.0, "stream": 0.04, "pour": 0.0, "unread": 5.0}
TIMEOUT_SECONDS = 10
LIMIT_SECONDS = 1800  # ends by itself if nobody stops it
JSON, NDJSON = {"Content-Type": "application/json"}, {"Content-Type": "application/x-ndjson"}
NAMES = [f"{start}{middle}{end}" for start in "BDGKMNPRST" for middle in "aeiou" for end in ("son", "ski", "ini", "ez")]
LIST = json.dumps({"names": NAMES * 5, "top_k": 43})
POURED = b"".join(json.dumps(name).encode() + b"\n" for name in NAMES * 5)
ERRORS = (OSError, http.client.HTTPException, ValueError, KeyError, IndexError, AssertionError)
stopped = threading.Event()


class Tally:
    """What became of the requests of a kind; of a stream, of its lines."""

    def __init__(self) -> None:
        self.sent = self.failed = self.ended_early = 0
        self.slowest = 0.0
        self.failures: list[str] = []
        self._lock = threading.Lock()

    def count(self, seconds: float, error: Exception | None = None) -> None:
        """Take down one request, answered or not."""
        with self._lock:
            self.sent += 1
            self.slowest = max(self.slowest, seconds)
            if error:
                self.failed += 1
                self.failures = [*self.failures, f"{time.strftime('%X')} after {seconds:.2f} s: {error!r}"][:20]

    def summary(self) -> dict[str, object]:
        """Return the figures."""
        found = {"sent": self.sent, "failed": self.failed, "slowest": round(self.slowest, 3)}
        return found | {"ended_early": self.ended_early, "failures": self.failures}


class Client:
    """Sends requests of one kind, one after the other."""

    def __init__(self, url: str, tally: Tally) -> None:
        self._address = urllib.parse.urlsplit(url).netloc
        self._connection = self._connect()
        self._tally = tally

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._address, timeout=TIMEOUT_SECONDS)

    def _ask(self, path: str, body: str, key: str, n_answers: int) -> None:
        started = time.monotonic()
        error = None
        try:
            self._connection.request("POST", path, body, JSON)
            response = self._connection.getresponse()
            answer = response.read()
            assert response.status == 200, response.status
            assert len(json.loads(answer)[key]) == n_answers, "answers are missing"
        except ERRORS as failure:
            error = failure
            self._connection.close()
        self._tally.count(time.monotonic() - started, error)

    def compat(self) -> None:
        """Ask by the first route, each time over a new connection, so that every request is routed anew."""
        self._ask("/get_prediction", '{"name": "Jordan", "n_predictions": 2}', "predictions", 2)
        self._connection.close()

    def v1(self) -> None:
        """Ask over a connection that is kept."""
        self._ask("/v1/predict", '{"names": ["Jordan"]}', "predictions", 1)

    def lists(self) -> None:
        """Ask for as much as a list may hold."""
        self._ask("/v1/predict", LIST, "predictions", 1000)

    def unread(self) -> None:
        """Ask for a list and leave without having read the answer, some time later."""
        host, _, port = self._address.partition(":")
        with socket.create_connection((host, int(port or 80)), timeout=TIMEOUT_SECONDS) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            head = (
                f"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(LIST)}"
            )
            connection.sendall(f"{head}\r\n\r\n{LIST}".encode())
            stopped.wait(PAUSES["unread"])
        self._tally.count(0)

    def stream(self) -> None:
        """Send a thousand lines, each once the one before is answered; go on elsewhere if the stream ends early."""
        self._talk([b'"Jordan"\n'] * 1000, PAUSES["stream"])

    def pour(self) -> None:
        """Send a hundred thousand lines, a thousand at a time."""
        self._talk([POURED] * 100, 0)

    def _talk(self, pieces: Sequence[bytes], pause: float) -> None:
        """Send pieces of a stream, each once all lines before it are answered."""
        connection, started = self._connect(), time.monotonic()
        try:
            _begin_stream(connection)
            response = None
            for piece in pieces:
                started = time.monotonic()
                connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                response = response or connection.getresponse()
                assert response.status == 200, response.status
                if not _read_answers(response, piece.count(b"\n")):
                    self._tally.ended_early += 1
                    return
                self._tally.count(time.monotonic() - started)
                if stopped.wait(pause):
                    break
            connection.send(b"0\r\n\r\n")
            assert response is None or response.read() == b"", "more answers than lines"
        except ERRORS as error:
            self._tally.count(time.monotonic() - started, error)
        finally:
            connection.close()


def _begin_stream(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("POST", "/v1/predict/stream")
    for name, value in (NDJSON | {"Transfer-Encoding": "chunked"}).items():
        connection.putheader(name, value)
    connection.endheaders()


def _read_answers(response: http.client.HTTPResponse, n_lines: int) -> bool:
    """Return whether each line has an answer; where one has not, the last line says that the service ends."""
    for _ in range(n_lines):
        line = json.loads(response.readline())
        if line.get("error", {}).get("status") == 503:
            return False
        assert line["labels"], "a line without an answer"
    return True


def repeat(ask: Callable[[], None], pause: float) -> None:
    """Ask until told to stop."""
    while not stopped.is_set():
        ask()
        stopped.wait(pause)


def main(url: str, *wanted: str) -> int:
    """Send until told to stop; 1 if any request failed."""
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    clients = {kind: int(number) for kind, _, number in (text.partition("=") for text in wanted)} or CLIENTS
    tallies = {kind: Tally() for kind in clients}
    threads = [
        threading.Thread(target=repeat, args=(getattr(Client(url, tallies[kind]), kind), PAUSES[kind]))
        for kind, number in clients.items()
        for _ in range(number)
    ]
    for thread in threads:
        thread.start()
    stopped.wait(LIMIT_SECONDS)
    stopped.set()
    for thread in threads:
        thread.join()
    print(json.dumps({kind: tally.summary() for kind, tally in tallies.items()}), flush=True)
    return int(any(tally.failed for tally in tallies.values()))


sys.exit(main(*sys.argv[1:]))
