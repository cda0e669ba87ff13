"""A folder of parts: what a run has finished stands there whole, so that the next one goes on behind it."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import DataError
from model.files import locked, write_durably

COPY = "input.utf-8"
JOINED = "joined"
_JOB = "job.json"
_LOCK = ".lock"
_FACTS = ".json"
_REJECTED = ".rejected"


@dataclass(frozen=True)
class Counts:
    """How many rows of a part were scored, and how many refused, by reason."""

    scored: int
    abstained: int
    rejected: Counter[str]

    @classmethod
    def sum(cls, parts: Sequence["Counts"]) -> "Counts":
        """Return the counts of several parts together."""
        rejected = Counter[str]()
        for part in parts:
            rejected.update(part.rejected)
        return cls(sum(part.scored for part in parts), sum(part.abstained for part in parts), rejected)


@dataclass(frozen=True)
class Parts:
    """The parts of one run; several processes may add to it."""

    folder: Path
    suffix: str

    def commit(self, index: int, content: bytes, rejected: bytes, counts: Counts) -> None:
        """Write a part; it counts once its last file has its name. Raises OSError."""
        facts = {"scored": counts.scored, "abstained": counts.abstained, "rejected": counts.rejected}
        for suffix, data in (
            (self.suffix, content),
            (_REJECTED, rejected),
            (_FACTS, json.dumps(facts).encode()),
        ):
            path = self._path(index, suffix)
            temporary = path.with_name(f".{path.name}")
            write_durably(temporary, data)
            temporary.replace(path)

    def find(self, index: int) -> Counts | None:
        """Return the counts of a part that is complete."""
        try:
            facts: dict[str, Any] = json.loads(self._path(index, _FACTS).read_bytes())
        except FileNotFoundError:
            return None
        return Counts(facts["scored"], facts["abstained"], Counter(facts["rejected"]))

    def content(self, n_parts: int) -> list[Path]:
        """Return the files of the scored rows, in order."""
        return [self._path(index, self.suffix) for index in range(n_parts)]

    def rejected(self, n_parts: int) -> list[Path]:
        """Return the files of the refused rows, in order."""
        return [self._path(index, _REJECTED) for index in range(n_parts)]

    def _path(self, index: int, suffix: str) -> Path:
        return self.folder / f"part-{index:06}{suffix}"


@contextmanager
def working_in(folder: Path, job: dict[str, Any], *, restart: bool) -> Iterator[None]:
    """Hold a folder of parts of a job, made if need be; at the end it goes if it holds none.

    Raises:
        DataError: another run holds it, it has the parts of another job and `restart` is false, or it cannot be
            written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / _LOCK, wait=False):
            _take_up(folder, job, restart=restart)
            try:
                yield
            finally:
                if not any(folder.glob("part-*")):
                    _remove(folder)
    except BlockingIOError:
        raise DataError(f"Another run is writing parts into {folder}; wait for it, or end it.") from None
    except OSError as error:
        raise DataError(f"{error.filename or folder} cannot be written: {error.strerror}.") from None


def _take_up(folder: Path, job: dict[str, Any], *, restart: bool) -> None:
    """Keep the parts of the same job, and clear away others' where that is asked for."""
    path = folder / _JOB
    try:
        before = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        before = None
    if before == job and not restart:
        return
    if before is not None and not restart:
        differing = [key for key in job if before.get(key) != job[key]]
        raise DataError(
            f"{folder} holds parts of a run with another {' and '.join(differing) or 'format'}: "
            "repeat that run's command to go on with it, or add --restart to start anew."
        )
    clear(folder)
    temporary = path.with_name(f".{path.name}")
    write_durably(temporary, json.dumps(job, indent=1).encode())
    temporary.replace(path)


def clear(folder: Path) -> None:
    """Remove whatever a run wrote, and nothing else."""
    for pattern in ("part-*", ".part-*", _JOB, f".{_JOB}", COPY, f".{COPY}", JOINED):
        for path in folder.glob(pattern):
            path.unlink()


def _remove(folder: Path) -> None:
    """Remove a folder without parts. Raises OSError if it holds something else."""
    clear(folder)
    (folder / _LOCK).unlink(missing_ok=True)
    folder.rmdir()
