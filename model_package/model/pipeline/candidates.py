"""Snapshots that are not yet judged: they stand beside the data's own until all checks have passed.

DATA/.candidates/<run>/ is a folder of snapshots too: links to those of DATA, and behind them the candidates. Publishing
moves these into DATA, each by one rename, so DATA never holds what was not judged.
"""

import shutil
from pathlib import Path

from model.data.snapshots import newest_snapshot, snapshots, writing
from model.errors import PipelineError
from model.files import sync_folder

_FOLDER = ".candidates"


class Candidates:
    """The candidates of a run."""

    def __init__(self, data: Path, run_id: str) -> None:
        self._data = data
        self.folder = data / _FOLDER / run_id
        """A folder of snapshots, to be ingested into."""

    def prepare(self) -> None:
        """Begin with the snapshots of the data, and no candidate. Raises OSError."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for snapshot in snapshots(self._data):
            (self.folder / snapshot.name).symlink_to(Path("..", "..", snapshot.name), target_is_directory=True)

    def find(self, name: str) -> Path | None:
        """Return the folder of a snapshot, published or not; None if it is gone."""
        found = (path for path in (self._data / name, self.folder / name) if path.is_dir())
        return next(found, None)

    def publish(self, names: list[str], base: str | None) -> None:
        """Move candidates into the data, in order; those that are there already stay.

        Raises:
            PipelineError: the data's newest snapshot is no longer the one that the candidates follow.
        """
        with writing(self._data):
            newest = newest_snapshot(self._data)
            if newest and newest.name not in {base, *names}:
                raise PipelineError(f"{self._data} got a snapshot in the meantime, {newest.name}")
            for name in names:
                if not (self._data / name).is_dir():
                    (self.folder / name).rename(self._data / name)
            sync_folder(self._data)

    def discard(self) -> None:
        """Remove them; what was published stays."""
        shutil.rmtree(self.folder, ignore_errors=True)


def sweep(data: Path, keep: str | None) -> None:
    """Remove the candidates of all runs, or of all but one."""
    folder = data / _FOLDER
    for path in folder.glob("*"):
        if path.name != keep:
            shutil.rmtree(path, ignore_errors=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
