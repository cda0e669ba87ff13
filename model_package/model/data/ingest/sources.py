"""Bring a source onto this machine: a file, a folder, or a URL that fsspec opens; and hash it."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from model.errors import DataError
from model.files import as_text

_MAX_BYTES = 2**36
_CHUNK = 2**20
_CREDENTIALS = re.compile(r"//[^/@]*@")


@contextmanager
def local_path(source: str) -> Iterator[Path]:
    """Yield where a source lies on this machine, for as long as the context lasts.

    Raises:
        DataError: it is not there, cannot be read, is too large, or is a URL and fsspec is not installed.
    """
    if "://" in source:
        with TemporaryDirectory() as folder:
            path = Path(folder) / Path(describe_location(source)).name
            _download(source, path)
            yield path
        return
    path = Path(source)
    if not path.is_dir():
        if not path.is_file():
            raise DataError(f"{describe_location(source)} is neither a file nor a folder.")
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"{source} is larger than {_MAX_BYTES // 2**30} GiB: split it.")
    yield path


def describe_location(source: str) -> str:
    """Return a path or URL without credentials and parameters, as text that can be written anywhere."""
    return as_text(_CREDENTIALS.sub("//", source).split("?")[0] if "://" in source else source)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file. Raises DataError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{as_text(str(path))} cannot be read: {error.strerror}.") from None


def hash_files(paths: Sequence[Path]) -> str:
    """Return the SHA-256 of the names of files, with their folders', and of what they hold."""
    lines = [f"{path.parent.name}/{path.name}\t{hash_file(path)}\n" for path in paths]
    return hashlib.sha256(os.fsencode("".join(lines))).hexdigest()


def open_url(url: str) -> tuple[Any, str]:
    """Return the file system that a URL is of, and the path there.

    Raises:
        DataError: fsspec is not installed, knows no such protocol, or lacks what that needs.
    """
    try:
        import fsspec
    except ImportError:
        raise DataError(
            'URLs need fsspec, which is not installed: run `pip install "model_package[ingest]"`.'
        ) from None
    location = describe_location(url)
    try:
        for protocol in re.findall(r"(?:^|::)(\w+)://", url):
            fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError) as error:  # what is to be installed, or which protocol is not known
        raise DataError(f"{location} cannot be opened: {error}.") from None
    try:
        system, path = fsspec.core.url_to_fs(url)
    except Exception as error:  # noqa: BLE001 - each file system of fsspec raises what it likes
        raise DataError(f"{location} cannot be opened ({type(error).__name__}).") from None
    return system, path


def _download(url: str, path: Path) -> None:
    system, place = open_url(url)
    location = describe_location(url)
    try:
        with system.open(place, "rb") as remote, path.open("wb") as file:
            n_bytes = _copy(remote, file)
    except Exception as error:  # noqa: BLE001 - each file system of fsspec raises what it likes
        raise DataError(f"{location} cannot be read ({type(error).__name__}).") from None
    if n_bytes > _MAX_BYTES:
        raise DataError(f"{location} is larger than {_MAX_BYTES // 2**30} GiB: split it.")


def _copy(remote: IO[bytes], file: IO[bytes]) -> int:
    """Copy up to the limit and a chunk more; return the number of bytes."""
    n_bytes = 0
    while n_bytes <= _MAX_BYTES and (chunk := remote.read(_CHUNK)):
        n_bytes += file.write(chunk)
    return n_bytes
