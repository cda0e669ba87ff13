"""What the verbs of a run work on: settings, store, data, and what the verbs before them found."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from model.classifier import Shape
from model.data.corpus import Corpus, Reading, load_corpus
from model.data.ingest.label_lists import find_lists
from model.data.ingest.sources import hash_files
from model.data.ingest.tables import Columns
from model.data.manifest import Manifest
from model.data.snapshots import hash_manifest, resolve_data
from model.errors import PipelineError
from model.pipeline.candidates import Candidates
from model.pipeline.runs import VERBS, Run
from model.registry.store import Store
from model.training import TrainingConfig


@dataclass(frozen=True)
class Settings:
    """Where the pipeline reads and writes, how it reads what is dropped, what it trains, and what a person accepts."""

    store: Path
    data: Path
    drops: Path | None = None
    columns: Columns = field(default_factory=Columns)
    replace: bool = False
    shape: Shape = field(default_factory=Shape)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    accept: str | None = None

    def describe_training(self) -> dict[str, Any]:
        """Return what is trained, as JSON has it: with the same on the same data, the weights are the same."""
        return {"shape": asdict(self.shape), "training": asdict(self.training)}


@dataclass(frozen=True)
class Source:
    """A folder of names; `sha256` is of its snapshot's manifest or, if it is of none, of its files."""

    names: Path
    manifest: Manifest | None
    sha256: str

    @property
    def title(self) -> str:
        """What a sentence calls it."""
        return f"snapshot {self.manifest.snapshot}" if self.manifest else str(self.names)


def find_source(path: Path) -> Source:
    """Return the names that a path means, as `resolve_data` has it. Raises DataError."""
    names, manifest = resolve_data(path)
    if manifest:
        return Source(names, manifest, hash_manifest(names.parent))
    lists = find_lists(names, as_is=True)
    return Source(names, None, hash_files([file for files in lists.files.values() for file in files]))


class Job:
    """A run that is at work."""

    def __init__(self, run: Run, past: list[Run], settings: Settings) -> None:
        self.run = run
        self.past = past
        """The other runs of the store, oldest first."""
        self.settings = settings
        self.store = Store(settings.store)
        self.candidates = Candidates(settings.data, run.id)
        self._corpora: dict[tuple[Path, Reading], Corpus] = {}

    def source(self) -> Source:
        """Return the names that this run is about.

        Raises:
            DataError: their snapshot is damaged.
            PipelineError: they are gone or changed since `ingest`, which is to run again.
        """
        facts = self.run.facts("ingest")
        name = facts["snapshot"]
        source = find_source(self.locate(name) if name else self.settings.data)
        if source.sha256 != facts["data_sha256"]:
            self.begin_again(f"{source.title} changed while the pipeline ran")
        return source

    def locate(self, snapshot: str) -> Path:
        """Return the folder of a snapshot, published or not. Raises PipelineError if it is gone."""
        return self.candidates.find(snapshot) or self.begin_again(
            f"{self.settings.data} does not hold snapshot {snapshot} any more"
        )

    def begin_again(self, obstacle: str) -> NoReturn:
        """Raise PipelineError, and have the next try of this run begin with `ingest`."""
        self.run.forget(*VERBS)
        raise PipelineError(f"{obstacle}; the next try takes what is there then.")

    def corpus(self, names: Path, reading: Reading) -> Corpus:
        """Return the corpus of a folder of names, read once. Raises DataError as `load_corpus` does."""
        key = (names, reading)
        if key not in self._corpora:
            self._corpora = {key: load_corpus(names, reading)}
        return self._corpora[key]

    def judged_corpus(self) -> Corpus:
        """Return the corpus of names that are judged: each line is a name, as `validate` has seen to it."""
        source = self.source()
        return self.corpus(source.names, Reading(as_is=True, skip_small=True, ranked=self.settings.training.ranked))
