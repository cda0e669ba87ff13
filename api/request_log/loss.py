"""How many rows a process lost when it was killed: what it promised to write is counted in a file that outlives it."""

import mmap
import os
import secrets
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

if sys.platform != "win32":  # there nobody can tell whether a process lives, and losses are not counted
    import fcntl

_NUMBER = struct.Struct("<Q")
_PATTERN = "writer-*.count"


class PromisedRows:
    """The number of rows that no answer of this process waits for, in a mapped file; locked while the process lives."""

    def __init__(self, directory: Path) -> None:
        """Make the file. Raises OSError."""
        self.writer = secrets.token_hex(16)
        self._path = directory / f"writer-{self.writer}.count"
        unlocked = directory / f"{self.writer}.new"
        self._descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if sys.platform != "win32":
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(self._descriptor, _NUMBER.pack(0))
            self._map = mmap.mmap(self._descriptor, _NUMBER.size)
            unlocked.rename(self._path)  # only now others may take it for one whose process has died
        except BaseException:
            os.close(self._descriptor)
            unlocked.unlink(missing_ok=True)
            raise
        self._total = 0
        self._lock = Lock()

    def add(self, n_rows: int) -> None:
        """Count rows; from now on a kill does not hide them."""
        with self._lock:
            self._total += n_rows
            _NUMBER.pack_into(self._map, 0, self._total)

    def close(self, *, settled: bool) -> None:
        """Let go of the file; it is deleted if all rows are settled, else the next start counts what was lost."""
        self._map.close()
        if settled:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def dead_writers(directory: Path) -> Iterator[tuple[str, int, Path]]:
    """Yield the id, the number of promised rows and the file of each process that ended without closing its file."""
    if sys.platform == "win32":
        return
    for path in sorted(directory.glob(_PATTERN)):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # its process holds it while it lives
                content = file.read(_NUMBER.size)
        except OSError:
            continue
        yield path.stem.removeprefix("writer-"), _NUMBER.unpack(content)[0] if len(content) == _NUMBER.size else 0, path
