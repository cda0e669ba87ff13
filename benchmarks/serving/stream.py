"""What a long stream or file costs the service beside the predictor alone, and whether its memory stays flat.

Run `python benchmarks/serving/stream.py [--route stream] [--lines 5000000] [--bundle artifacts] [--data data/names]`;
prints Markdown. A service of its own is started; the client sends as fast as it is let, and reads as it comes.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import msgspec

from model.data.dataset import load_dataset
from model.prediction import Predictor

CHUNK = 256
"""Names in one call of the predictor, and about as many lines in one piece of the body."""
ALONE = 50_000
"""Names that the predictor is timed on."""
CONTENT_TYPES = {"stream": "application/x-ndjson", "file": "text/csv"}


def body(route: str, names: Iterator[str]) -> Iterator[bytes]:
    """Yield the body in pieces."""
    if route == "file":
        yield b"number,name\n"
    number = 0
    while chunk := list(islice(names, CHUNK)):
        if route == "stream":
            yield msgspec.json.Encoder().encode_lines(chunk)
        else:
            yield "".join(f"{number + i},{name}\n" for i, name in enumerate(chunk)).encode()
        number += len(chunk)


def converse(port: int, route: str, names: Iterator[str]) -> int:
    """Send the body from a thread, read the answer here; return its number of lines."""
    connection = socket.create_connection(("127.0.0.1", port))
    head = (
        f"POST /v1/predict/{route} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n"
    )
    connection.sendall(f"{head}content-type: {CONTENT_TYPES[route]}\r\n\r\n".encode())

    def send() -> None:
        for piece in body(route, names):
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")

    sender = threading.Thread(target=send)
    sender.start()
    answer = connection.makefile("rb")
    status = answer.readline()
    assert b" 200 " in status, status
    while answer.readline() != b"\r\n":
        pass
    lines = 0
    while size := int(answer.readline(), 16):
        lines += answer.read(size + 2).count(b"\n") - 1  # less the one that ends the chunk
    sender.join()
    return lines


def cpu_seconds(pid: int) -> float:
    """Return what a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Return the memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def start(bundle: Path, folder: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start the service with its request log in a folder; return it and its port once it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = {"PORT": str(port), "BUNDLE_DIR": str(bundle), "REQUEST_LOG_DIR": folder}
    environment = os.environ | {f"NAME_CLASSIFIER_{name}": value for name, value in settings.items()}
    service = subprocess.Popen([sys.executable, "-m", "api"], env=environment, stderr=subprocess.DEVNULL)
    while service.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return service, port
    sys.exit("The service did not start.")


def main() -> None:
    """Run one long request and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--route", choices=CONTENT_TYPES, default="stream")
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--bundle", type=Path, default=Path("artifacts"))
    parser.add_argument("--data", type=Path, default=Path("data/names"))
    arguments = parser.parse_args()
    names = sorted(set(load_dataset(arguments.data).names), key=hash)  # in no order

    predictor = Predictor.load(arguments.bundle)
    asked = list(islice(cycle(names), ALONE))
    before = time.process_time()
    for at in range(0, ALONE, CHUNK):
        predictor.predict(asked[at : at + CHUNK])
    alone = (time.process_time() - before) / ALONE

    folder = tempfile.TemporaryDirectory()
    service, port = start(arguments.bundle, folder.name)
    done = threading.Event()
    memory: list[float] = []

    def watch() -> None:
        while not done.wait(1):
            memory.append(resident_mib(service.pid))

    watcher = threading.Thread(target=watch)
    try:
        watcher.start()
        cpu, wall = cpu_seconds(service.pid), time.perf_counter()
        lines = converse(port, arguments.route, islice(cycle(names), arguments.lines))
        cpu, wall = cpu_seconds(service.pid) - cpu, time.perf_counter() - wall
    finally:
        done.set()
        watcher.join()
        service.terminate()
        service.wait()
        folder.cleanup()
    print(
        "| lines answered | lines a second | CPU µs a line | predictor alone | ratio | MiB at 10%, 50%, 100% | most |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    at_times = ", ".join(f"{memory[round(share * (len(memory) - 1))]:.1f}" for share in (0.1, 0.5, 1))
    each = cpu / lines
    print(f"| {lines:,} | {lines / wall:,.0f} | {each * 1e6:.1f} | {alone * 1e6:.1f} | {alone / each:.2f} ", end="")
    print(f"| {at_times} | {max(memory):.1f} |")


if __name__ == "__main__":
    main()
