"""The state of a bundle's files on disk, by which a change is noticed."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import NamedTuple

from model.constants import METADATA_FILE
from model.errors import BundleError
from model.registry.store import holds_bundle, resolve_bundle

_MAX_FILES = 1000
"""A bundle has a dozen; a folder that is none may hold any number, and is looked at often."""


class FileState(NamedTuple):
    """What differs once a file is written or replaced."""

    path: Path
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class BundleState:
    """The folder of a bundle and the state of its files; equal as long as nobody touches any of them."""

    folder: Path
    files: frozenset[FileState]

    @property
    def metadata(self) -> FileState | None:
        """The metadata file's own state: the same while the other files are still being copied."""
        return next((file for file in self.files if file.path == self.folder / METADATA_FILE), None)


def read_state(path: Path, fallback: Path | None = None) -> BundleState:
    """Return the state of the bundle at a path, of a store's champion, or else of the fallback; no file of it is read.

    Raises:
        BundleError: a store's pointer is damaged, or something there would block whoever reads it, such as a FIFO.
    """
    list(_stat_all(path))  # refuses a pointer that is a FIFO before it is read
    folder = resolve_bundle(path) if fallback is None or holds_bundle(path) else fallback
    return BundleState(folder, frozenset(_stat_all(folder, "*", "*/*")))


def _stat_all(folder: Path, *patterns: str) -> Iterator[FileState]:
    """Yield the state of each regular file that a pattern matches; by default of those right in the folder."""
    found = (path for pattern in patterns or ("*",) for path in folder.glob(pattern))
    for path in islice(found, _MAX_FILES):
        try:
            status = path.stat()
        except OSError:  # gone meanwhile, or a link to nowhere: whoever needs it says so
            continue
        if S_ISREG(status.st_mode):
            yield FileState(path, status.st_ino, status.st_size, status.st_mtime_ns)
        elif not S_ISDIR(status.st_mode):
            raise BundleError(f"{path} is neither a file nor a folder.")
