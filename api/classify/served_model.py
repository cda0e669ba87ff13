"""The model that is served, and its replacement while requests go on. Knows no route.

A request takes `ModelHost.current` once and answers wholly by it, whatever is swapped in meanwhile.
"""

import asyncio
import ctypes
import gc
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from api.observability.metrics import Metrics
from model.artifacts import read_bundle
from model.constants import END_ID, METADATA_FILE, START_ID, UNKNOWN_ID
from model.errors import BundleError
from model.explain.similar_names import SimilarNames
from model.prediction import Predictor
from model.registry.store import resolve_bundle

logger = logging.getLogger("api")

_WATCH_SECONDS = 1.0
_Signature = tuple[str, int, int]


@dataclass(frozen=True)
class ServedModel:
    """A verified bundle, ready to answer."""

    predictor: Predictor
    similar: SimilarNames

    @property
    def version(self) -> str:
        """The version that every answer names."""
        return self.predictor.metadata.version

    @classmethod
    def load(cls, path: Path, *, threads: int) -> Self:
        """Load a bundle, or a store's champion, and answer once, so that the first request is not the slow one.

        Raises:
            BundleError: the bundle is missing, incomplete, tampered with or of an unknown schema.
        """
        bundle = read_bundle(resolve_bundle(path))
        served = cls(Predictor(bundle, threads=threads), SimilarNames.from_bundle(bundle))
        served.predictor.log_probs_of_ids([[START_ID, UNKNOWN_ID, END_ID]])
        return served


class ModelHost:
    """Holds the served model and watches where it came from."""

    def __init__(self, path: Path, *, threads: int, metrics: Metrics) -> None:
        self.path = path
        self._threads = threads
        self._metrics = metrics
        self._seen = _signature(path)
        self._take(ServedModel.load(path, threads=threads))

    async def watch(self) -> None:
        """Load what appears at the path and swap it in; a refused bundle leaves the old one serving."""
        swapped = True  # the first load counts
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if swapped:  # by now no request is answered by the old one
                await asyncio.to_thread(_give_back_memory)
            swapped = await self._refresh()

    async def _refresh(self) -> bool:
        """Look once, tell whether a model came; a thread reads and warms it, the swap is one assignment."""
        signature = await asyncio.to_thread(_signature, self.path)
        if signature == self._seen:
            return False
        self._seen = signature  # a refused bundle is tried again when it changes, not every second
        try:
            served = await asyncio.to_thread(self._load_like, self.current)
        except BundleError as error:
            self._metrics.model_reloads.labels("refused").inc()
            logger.error("model refused, the old one goes on serving", extra={"reason": str(error)})  # noqa: TRY400
            return False
        self._metrics.model_reloads.labels("loaded").inc()
        self._take(served)
        return True

    def _load_like(self, before: ServedModel) -> ServedModel:
        """Load what is there now, as warm as the one before it is."""
        served = ServedModel.load(self.path, threads=self._threads)
        if before.similar.is_warm:
            served.similar.warm()
        return served

    def _take(self, served: ServedModel) -> None:
        self.current = served
        metadata = served.predictor.metadata
        self._metrics.describe_model(metadata.version, metadata.architecture, served.predictor.labels)
        logger.info("model loaded", extra={"version": metadata.version, "labels": len(metadata.labels)})


def _give_back_memory() -> None:
    """Return to the system what loading took and freed: glibc would keep it, 20 to 300 MB of it."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in every C library
    if trim:
        trim(0)


def _signature(path: Path) -> _Signature | str:
    """Return what changes when the bundle does: its folder and its metadata file, which is replaced last."""
    try:
        folder = resolve_bundle(path)
        status = (folder / METADATA_FILE).stat()
    except (BundleError, OSError) as error:
        return str(error)
    return folder.name, status.st_ino, status.st_mtime_ns
