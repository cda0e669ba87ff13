"""A run of the pipeline on disk: `<store>/runs/<id>/<verb>.json`, each result written whole or not at all."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from model.errors import PipelineError
from model.files import locked, read_regular_file, replace_durably

VERBS: Final = ("ingest", "validate", "train", "evaluate", "gate", "promote")
_FOLDER = "runs"
_LOCK = ".lock"
_ID = re.compile(r"\w[\w.:+-]{0,199}")
_MAX_BYTES = 2**26


class Status(StrEnum):
    """How a verb ended; only after `done` does the next one follow."""

    DONE = "done"
    REFUSED = "refused"
    UNCHANGED = "unchanged"


class Result(BaseModel):
    """What a verb found; the facts stand beside these fields, in the file and here as `facts`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    verb: str
    status: Status
    reason: str | None = None
    started_at: datetime
    seconds: float = 0.0

    @property
    def facts(self) -> dict[str, Any]:
        """What the verb recorded beyond the fields that all have."""
        return self.model_extra or {}


class Run:
    """One pass over the verbs, and what they left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name
        self.bundle = folder / "bundle"
        """Where a bundle stands until the store has it."""

    def result(self, verb: str) -> Result | None:
        """Return what a verb left; None if it has not ended. Raises PipelineError if the file is damaged."""
        path = self.folder / f"{verb}.json"
        try:
            return Result.model_validate_json(read_regular_file(path, _MAX_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError):
            raise PipelineError(f"{path} cannot be read; remove it, and the verb is run again.") from None

    def results(self) -> list[Result]:
        """Return the results of the verbs that have ended, in order."""
        return [result for verb in VERBS if (result := self.result(verb))]

    def facts(self, verb: str) -> dict[str, Any]:
        """Return the facts of a verb that has ended. Raises PipelineError if it has not."""
        result = self.result(verb)
        if result is None:
            raise PipelineError(f"{verb} has not ended in run {self.id}; run it first.")
        return result.facts

    def write(self, result: Result) -> None:
        """Keep a result. Raises OSError."""
        replace_durably(self.folder / f"{result.verb}.json", (result.model_dump_json(indent=1) + "\n").encode())

    def forget(self, *verbs: str) -> None:
        """Remove the results of verbs, which are then run again, the last first: so a kill leaves no gap."""
        for verb in reversed(verbs):
            (self.folder / f"{verb}.json").unlink(missing_ok=True)

    def discard_bundle(self) -> None:
        """Remove the bundle that the store has by now."""
        shutil.rmtree(self.bundle, ignore_errors=True)

    @property
    def is_finished(self) -> bool:
        """Whether no verb is left to run."""
        results = self.results()
        return bool(results) and (len(results) == len(VERBS) or results[-1].status is not Status.DONE)


class Runs:
    """The runs of a store."""

    def __init__(self, store: Path) -> None:
        self._folder = store / _FOLDER

    def open(self, run_id: str | None) -> Run:
        """Return a run by its id; without one, the newest that is unfinished, else a new one.

        Raises:
            PipelineError: the id cannot name a folder, or a result is damaged.
        """
        if run_id is None:
            unfinished = [run for run in self.all() if not run.is_finished]
            return unfinished[-1] if unfinished else Run(self._folder / self._new_id())
        if not _ID.fullmatch(run_id):
            raise PipelineError(f"{run_id!r:.40} cannot name a run: letters, digits and any of _.:+- can.")
        return Run(self._folder / run_id)

    def all(self) -> list[Run]:
        """Return the runs that left a result or are at work, by their ids: those made here sort by time."""
        folders = sorted(path for path in self._folder.glob("*") if path.is_dir() and _ID.fullmatch(path.name))
        return [Run(folder) for folder in folders]

    def remove(self, run: Run) -> None:
        """Forget a run."""
        shutil.rmtree(run.folder, ignore_errors=True)

    @contextmanager
    def working(self, on_wait: Callable[[], object]) -> Iterator[None]:
        """Take turns with other pipelines of the store; `on_wait` is called if another one is at work.

        Raises:
            PipelineError: the store's folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with locked(self._folder / _LOCK, on_wait=on_wait):
                yield
        except OSError as error:
            raise PipelineError(f"{error.filename or self._folder} cannot be written: {error.strerror}.") from None

    def _new_id(self) -> str:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        taken = {run.id for run in self.all()}
        return next(name for n in range(len(taken) + 1) if (name := f"{stamp}-{n}" if n else stamp) not in taken)
