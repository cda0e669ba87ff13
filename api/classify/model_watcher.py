"""Replaces the served model once its bundle changes; whatever the new one does on loading, the old one goes on."""

import ctypes
import gc
import logging
from math import inf
from threading import Event, Thread
from time import monotonic

from api.classify.bundle_state import BundleState
from api.classify.served_model import ModelHost
from api.observability.metrics import Metrics
from model.errors import BundleError

logger = logging.getLogger("api")

_WATCH_SECONDS = 0.25
_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 30.0
_RELEASE_SECONDS = 1.0
"""After a load: by then hardly a request is still answered by the model before."""
_STOP_SECONDS = 1.0


class ModelWatcher:
    """Looks at the bundle four times a second, loads it once it has changed, tries a refused one again with a back-off.

    A daemon thread: a read that never returns does not keep the process from ending.
    """

    def __init__(self, host: ModelHost, metrics: Metrics) -> None:
        self._host = host
        self._metrics = metrics
        self._thread: Thread | None = None
        self._stopping = Event()
        self._refused_state: BundleState | str | None = None
        self._retry_seconds = self._retry_at = 0.0
        self._logged: object = None
        self._release_at = monotonic() + _RELEASE_SECONDS  # the first load counts

    def start(self) -> None:
        """Begin to watch."""
        self._stopping.clear()
        self._thread = Thread(target=self._run, name="model-watcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, after what is being loaded, or without it if that takes over a second."""
        self._stopping.set()
        if self._thread:
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(_WATCH_SECONDS):
            state = self._read_state()
            try:
                if self._is_due(state):
                    self._load(state)
                elif monotonic() >= self._release_at:
                    self._release_at = inf
                    _give_back_memory()
            except BaseException as error:  # noqa: BLE001 - a panic in a native library is one; this must never end
                self._report(state, error)

    def _read_state(self) -> BundleState | str:
        """Return the state of the bundle, or why it has none."""
        try:
            return self._host.read_state()
        except Exception as error:  # noqa: BLE001 - loading fails likewise, and is reported
            return _reason(error)

    def _is_due(self, state: BundleState | str) -> bool:
        """Tell whether the bundle is another than the served one and was not refused just now."""
        if state == self._host.current.state:
            self._refused_state = self._logged = None
            self._metrics.model_refused.set(0)
            return False
        return state != self._refused_state or monotonic() >= self._retry_at

    def _load(self, state: BundleState | str) -> None:
        again = state == self._refused_state
        self._retry_seconds = min(2 * self._retry_seconds, _LAST_RETRY_SECONDS) if again else _FIRST_RETRY_SECONDS
        self._retry_at = monotonic() + self._retry_seconds
        self._refused_state = state  # until it is loaded
        self._release_at = monotonic() + _RELEASE_SECONDS
        self._host.reload()
        self._logged = None
        self._metrics.model_refused.set(0)
        self._metrics.model_reloads.labels("loaded").inc()

    def _report(self, state: BundleState | str, error: BaseException) -> None:
        """Log and count a refusal, once for a bundle and a reason: one that is still being copied is tried often."""
        reason = _reason(error)
        self._metrics.model_refused.set(1)
        refusal = (state.metadata if isinstance(state, BundleState) else None, reason)
        if refusal == self._logged:
            return
        self._logged = refusal
        self._metrics.model_reloads.labels("refused").inc()
        logger.error("model refused, the old one goes on serving", extra={"reason": reason})


def _reason(error: BaseException) -> str:
    """Return a sentence without what the bundle holds, which may be names."""
    return str(error) if isinstance(error, BundleError) else f"unexpected {type(error).__name__}"


def _give_back_memory() -> None:
    """Return to the system what loading took and freed: glibc would keep it, 20 to 300 MB of it."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in every C library
    if trim:
        trim(0)
