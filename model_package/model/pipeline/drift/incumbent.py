"""The champion, as what new names are compared with: what it answers, and the names that it was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.artifacts import read_bundle
from model.constants import SIMILAR_FILE
from model.explain.similar_names import SimilarNames
from model.prediction import Predictor


@dataclass(frozen=True)
class Incumbent:
    """A predictor and the folded names of each label that it was trained on; none if its bundle does not tell."""

    predictor: Predictor
    trained: dict[str, list[str]]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the champion's bundle. Raises BundleError if it is damaged."""
        bundle = read_bundle(folder)
        has_index = SIMILAR_FILE in bundle.files
        return cls(Predictor(bundle), SimilarNames.from_bundle(bundle).names_by_label() if has_index else {})

    @cached_property
    def seen(self) -> frozenset[str]:
        """Every name that it was trained on."""
        return frozenset(name for names in self.trained.values() for name in names)

    @cached_property
    def label_ids(self) -> dict[str, int]:
        """The place of each label in its answers."""
        return {label: i for i, label in enumerate(self.predictor.labels)}

    def probabilities(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of each label (N, L), of names that it was not trained on as of those that are new."""
        return np.exp(self.predictor.log_probs(names, lexicon=False))

    def share_unfamiliar(self, names: Sequence[str]) -> float:
        """Return the share of names that it would abstain from if no list held them."""
        threshold = self.predictor.metadata.abstention_threshold
        return float((self.predictor.familiarity(names, lexicon=False) < threshold).mean())
