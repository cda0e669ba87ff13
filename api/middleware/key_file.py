"""Reads the API keys again when their file changes, so that revoking one needs no restart."""

import asyncio
import logging
from pathlib import Path

from api.key_list import KeyListError, parse_keys, read_key_file
from api.middleware.api_keys import KeyRing
from api.observability.metrics import Metrics
from api.settings import Settings

logger = logging.getLogger("api")


class KeyFile:
    """The file that keys come from; without one, nothing is ever read."""

    def __init__(self, settings: Settings, keys: KeyRing, metrics: Metrics) -> None:
        self._path = settings.api_keys_file
        self._lack_limits = settings.lack_limits
        self._keys = keys
        self._metrics = metrics
        self._content: str | None = None
        self._refused_for = ""

    async def watch(self, *, check_seconds: float = 1.0) -> None:
        """Look regularly whether the keys are others; a file that cannot be used leaves those that there are."""
        while self._path:
            await asyncio.sleep(check_seconds)
            self._read(self._path, forced=False)

    def reload(self) -> None:
        """Read the file at once, and log and count the outcome even if nothing has changed."""
        if self._path:
            self._read(self._path, forced=True)

    def _read(self, path: Path, *, forced: bool) -> None:
        try:
            content = read_key_file(path)
            if content != self._content or forced:  # by content: a clock's tick can hide a change of the same size
                self._content = content
                self._take(content, forced=forced)
        except KeyListError as error:
            self._refuse(str(error), forced=forced)
        except Exception as error:  # noqa: BLE001 - the loop goes on, whatever a file may hold
            self._refuse(type(error).__name__, forced=forced)

    def _take(self, content: str, *, forced: bool) -> None:
        keys = parse_keys(content)
        if self._lack_limits(keys):
            raise KeyListError("production needs a limit for every key")
        self._refused_for = ""
        if forced or keys != self._keys.keys:
            self._keys.replace(keys)
            self._metrics.api_key_reloads.labels("loaded").inc()
            logger.info("API keys loaded", extra={"keys": len(keys)})

    def _refuse(self, reason: str, *, forced: bool) -> None:
        if forced or reason != self._refused_for:
            self._refused_for = reason
            self._metrics.api_key_reloads.labels("refused").inc()
            logger.error("API keys refused, the old ones stay", extra={"reason": reason})
