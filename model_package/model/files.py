"""Files on disk: bounded reads that never block, durable writes, locks."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def as_text(path: str) -> str:
    r"""Return a path that can be printed and written: bytes that are no UTF-8 as \xff."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file; a FIFO or a device would block, or never end.

    Raises:
        OSError: it is missing, unreadable, no regular file, or larger than max_bytes.
    """
    with open(path, "rb", opener=_open_without_blocking) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        if status.st_size > max_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return file.read(status.st_size + 1)


def _open_without_blocking(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # Windows has neither the flag nor the need


def write_durably(path: Path, content: bytes) -> None:
    """Write a file, safe on disk on return, in a folder that is made if need be. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, safe on disk on return. Raises OSError."""
    staged = path.with_name(f".{path.name}.new")
    write_durably(staged, content)
    staged.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the disk remember the names in a folder. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, wait: bool = True, on_wait: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock of a folder, or of a file that is made if need be; others wait, and a kill gives it back.

    `on_wait` is called before it waits. A network file system may lock no folders: writers there are not kept apart.

    Raises:
        OSError: it cannot be opened, or its file cannot be locked; BlockingIOError if another holds it and `wait` is
            false.
    """
    import fcntl  # not on Windows, where a store can still be read

    is_folder = path.is_dir()
    descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with suppress(*((OSError,) if is_folder else ())):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    raise
                on_wait()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
