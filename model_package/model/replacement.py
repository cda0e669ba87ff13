"""Replace files of a folder together, atomically under a kill at any point.

New files are staged in `.staging/`, which one rename turns into `.pending/` when they are complete. Renaming a first
file over the old one commits them: a reader that finds that file new looks for the others at their names and in
`.pending/`, from where they are moved to their names. The next writer completes what a kill left pending and clears
what it left staged. Files that are not replaced stay.
"""

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from model.files import locked, sync_folder, write_durably

PENDING: Final = ".pending"
_STAGING = ".staging"
_OBSOLETE = ".obsolete"  # in the pending folder: the files to remove, one a line


@contextmanager
def replacing(directory: Path, first: str) -> Iterator[None]:
    """Take the writers' turn in a folder; before it nothing is pending, after it nothing is staged. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory):
        _publish(directory, first)
        _clear_staging(directory)
        try:
            yield
        finally:
            _clear_staging(directory)


def replace_files(directory: Path, files: Mapping[str, bytes], first: str, obsolete: Collection[str] = ()) -> None:
    """Write all the files by their relative names, committed by the first of them, and remove obsolete ones.

    Raises:
        OSError: the folder cannot be written; what stood there stands.
    """
    stage_files(directory, {**files, _OBSOLETE: "\n".join(obsolete).encode()})
    (directory / _STAGING).rename(directory / PENDING)
    _publish(directory, first)


def stage_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files beside the folder's own, on the same file system, so that they can be renamed. Raises OSError."""
    staging = directory / _STAGING
    staging.mkdir()
    for name, content in files.items():
        write_durably(staging / name, content)
    for folder in {staging, *((staging / name).parent for name in files)}:
        sync_folder(folder)


def _publish(directory: Path, first: str) -> None:
    """Move what is pending to its names, the first file first."""
    pending = directory / PENDING
    if not pending.is_dir():
        return
    if (pending / first).exists():
        try:
            (pending / first).replace(directory / first)
        except OSError:
            shutil.rmtree(pending)
            raise
        sync_folder(directory)
    obsolete = pending / _OBSOLETE
    names = obsolete.read_text(encoding="utf-8").split("\n") if obsolete.exists() else []
    targets = {path: directory / path.relative_to(pending) for path in pending.rglob("*") if path.is_file()}
    targets.pop(obsolete, None)
    for path, target in targets.items():
        target.parent.mkdir(exist_ok=True)
        path.replace(target)
    for name in filter(None, names):
        (directory / name).unlink(missing_ok=True)
    for folder in {target.parent for target in targets.values()}:
        sync_folder(folder)
    shutil.rmtree(pending)


def _clear_staging(directory: Path) -> None:
    for leftover in directory.glob(f"{_STAGING}*"):
        shutil.rmtree(leftover)
