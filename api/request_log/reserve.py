"""Room on the disk that is kept for deleting rows once the disk is full: SQLite needs some for its journal."""

import errno
import os
import shutil
from pathlib import Path

RESERVE_FILE = "request_log.reserve"
_BYTES = 16 * 1024 * 1024
"""More than twice what the journal holds between checkpoints, as each of its pages may have to be added to the file."""


class Reserve:
    """A file of zeros, half of a very small disk at most."""

    def __init__(self, directory: Path) -> None:
        """Take a folder that exists; nothing is written before `take`."""
        self._path = directory / RESERVE_FILE
        self._n_bytes = min(_BYTES, shutil.disk_usage(directory).total // 2)
        self.is_taken = False

    def take(self) -> None:
        """Write the file unless it is there. Raises OSError: the disk has no room for it."""
        if self.is_taken:
            return
        if not self._path.exists() or self._path.stat().st_size < self._n_bytes:
            self._write()
        self.is_taken = True

    def _write(self) -> None:
        if (
            shutil.disk_usage(self._path.parent).free < self._n_bytes
        ):  # told at no cost, as this is tried twice a second
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            self._path.write_bytes(bytes(self._n_bytes))
        except OSError:
            self.release()
            raise

    def release(self) -> bool:
        """Delete the file; tell whether there was one."""
        self.is_taken = False
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True
