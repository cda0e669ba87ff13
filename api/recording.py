"""Where the answers to one request are recorded; it travels with the request."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from model.prediction import Prediction
from model.priors import Prior


class RecordedOptions(Protocol):
    """How names were to be answered."""

    @property
    def top_k(self) -> int | None:
        """Labels a name; None is the default."""

    @property
    def prior(self) -> Prior:
        """How frequent labels are taken to be."""

    @property
    def abstain(self) -> bool:
        """Whether what is not familiar gets no labels."""


class Recording:
    """Records nothing; `off` is the only one of its kind that is needed."""

    __slots__ = ()

    off: ClassVar["Recording"]

    async def answered(
        self,
        version: str,
        names: Sequence[str | None],
        outcomes: Sequence[Prediction | str],
        options: RecordedOptions,
    ) -> None:
        """Record the next items of the request before their answer is sent, and wait as long as the settings ask.

        Args:
            version: of the model that answers.
            names: of each item, None where it held no name.
            outcomes: of each item its prediction, or why it has none.
            options: see `RecordedOptions`.

        Raises:
            RequestLogFullError: there is no room for them, and nothing may be answered unrecorded.
        """

    def ended(self, route: str | None, status: int) -> None:
        """Record a request that was refused as a whole; nothing if it was answered, or `route` is not recorded."""


Recording.off = Recording()
