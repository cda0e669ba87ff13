"""Compare a version of a store with its champion."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model.data.corpus import Corpus
from model.evaluation.comparison import Criterion, describe_failure
from model.registry.gate import compare_bundles
from model.registry.store import Store


@dataclass(frozen=True)
class Verdict:
    """How a version compares with the champion, of which there may be none; `failure` says why it may not follow it."""

    champion: str | None
    criteria: Sequence[Criterion]

    @property
    def failure(self) -> str | None:
        """Why the version may not become champion; None if it may."""
        return describe_failure(self.criteria)

    @property
    def gate(self) -> list[dict[str, Any]]:
        """The criteria as the ledger keeps them."""
        return [asdict(criterion) | {"passed": criterion.passed} for criterion in self.criteria]


def judge(store: Store, version: str, corpus: Corpus) -> Verdict:
    """Compare a version with the champion, on held-out names of the version's data.

    Raises:
        BundleError: a bundle is missing, incomplete or damaged.
        DataError: the corpus is not the one that the version was trained on.
    """
    champion = store.champion()
    folder = store.folder(champion) if champion else None
    return Verdict(champion, compare_bundles(store.folder(version), folder, corpus))
