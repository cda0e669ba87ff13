"""The request log of one service: what the app tells it, and the threads that keep it."""

import asyncio
import time
from collections.abc import Collection, Sequence

from prometheus_client import CollectorRegistry
from starlette.types import Scope

from api.context import RequestContext, route_of
from api.recording import RecordedOptions, Recording
from api.request_log.log_metrics import RequestLogMetrics
from api.request_log.names import NameKeeper
from api.request_log.outbox import Outbox
from api.request_log.rows import AnsweredItems, Feedback, RefusedRequest, RequestFacts
from api.settings import FullPolicy, RequestLogMode, Settings
from model.prediction import Prediction

_REFUSALS_PER_SECOND = 100
"""Rows of refused requests: whoever sends only what is refused must not fill the disk."""
_STRANGERS_PER_SECOND = 5
"""Of those, rows of requests without a key where one is needed: nobody else's limits hold for them."""
_STRANGERS_SHARE = 0.5
"""Of the outbox: beyond it, rows of such requests are skipped, so that they cannot fill it."""
_CLOSE_SECONDS = 5.0


class RequestLog:
    """Records what is answered; of one app, on one event loop."""

    def __init__(self, settings: Settings, registry: CollectorRegistry, recorded_routes: Collection[str]) -> None:
        """Make the folder of the outbox; nothing is written before `start`.

        Args:
            settings: where rows go and what is kept of a name.
            registry: where its metrics are shown.
            recorded_routes: templates of the routes whose refusals are recorded; whoever answers names says so itself.

        Raises:
            OSError: the folder of the outbox cannot be written to.
        """
        self.metrics = RequestLogMetrics(registry)
        self._recorded_routes = frozenset(recorded_routes)
        keeper = NameKeeper(settings.recorded_names, settings.name_hash_keys)
        self._outbox = Outbox(
            settings.request_log_dir,
            keeper,
            self.metrics,
            strict=settings.request_log is RequestLogMode.STRICT,
            refuse=settings.request_log_full is FullPolicy.REFUSE,
            max_bytes=settings.request_log_max_bytes,
        )
        self._shipper = None
        if url := settings.database_url.get_secret_value():
            from api.request_log.shipper import Shipper  # psycopg is loaded only where rows are shipped

            self._shipper = Shipper(url, self._outbox, self.metrics)
            self.metrics.show_outbox()
        self._key_needed = settings.key_needed
        self._second = self._refusals_left = self._strangers_left = 0

    def start(self) -> None:
        """Begin to write and to ship."""
        self._outbox.start()
        if self._shipper:
            self._shipper.start()

    async def close(self) -> None:
        """Write and ship what waits, within seconds; what cannot be shipped stays in the outbox."""
        if self._shipper:
            await asyncio.to_thread(self._shipper.close, _CLOSE_SECONDS)
        await asyncio.to_thread(self._outbox.close, _CLOSE_SECONDS)

    def recording(self, scope: Scope, context: RequestContext) -> Recording:
        """Return where the answers to a request that has just come are recorded."""
        return _RequestRecording(self, scope, context)

    async def add_items(self, items: AnsweredItems) -> None:
        """Record answered items. Raises RequestLogFullError."""
        await self._outbox.put(items)

    def add_refusal(self, refusal: RefusedRequest) -> None:
        """Record a refused request, unless its route is not recorded or too many were refused in this second."""
        if refusal.request.route not in self._recorded_routes:
            return
        second = int(refusal.at)
        if second != self._second:
            self._second = second
            self._refusals_left, self._strangers_left = _REFUSALS_PER_SECOND, _STRANGERS_PER_SECOND
        self._refusals_left -= 1
        is_stranger = self._key_needed and refusal.request.api_key_name is None
        self._strangers_left -= is_stranger
        if self._refusals_left >= 0 and not (is_stranger and self._refuses_strangers()):
            self._outbox.put_nowait(refusal)
        else:
            self.metrics.skipped.inc()

    def _refuses_strangers(self) -> bool:
        return self._strangers_left < 0 or self._outbox.share_used > _STRANGERS_SHARE

    async def add_feedback(self, request_id: str, item_index: int, name: str, label: str, caller: str) -> None:
        """Record the true label of an item, with its name. Raises RequestLogFullError."""
        await self._outbox.put(Feedback(time.time(), request_id, item_index, caller or None, name, label))


class _RequestRecording(Recording):
    """Records the items of one request."""

    __slots__ = ("_context", "_log", "_n_answered", "_scope", "_started")

    def __init__(self, log: RequestLog, scope: Scope, context: RequestContext) -> None:
        self._log = log
        self._scope = scope
        self._context = context
        self._started = time.perf_counter()
        self._n_answered = 0

    async def answered(
        self,
        version: str,
        names: Sequence[str | None],
        outcomes: Sequence[Prediction | str],
        options: RecordedOptions,
    ) -> None:
        if not outcomes:
            return
        first, self._n_answered = self._n_answered, self._n_answered + len(outcomes)
        facts = self._facts(route_of(self._scope, self._context) or "unmatched")
        items = AnsweredItems(facts, time.time(), self._latency, version, names, outcomes, options, first)
        await self._log.add_items(items)

    def ended(self, route: str | None, status: int) -> None:
        if status >= 400 and not self._n_answered and route:
            self._log.add_refusal(RefusedRequest(self._facts(route), time.time(), self._latency, status))

    @property
    def _latency(self) -> float:
        return time.perf_counter() - self._started

    def _facts(self, route: str) -> RequestFacts:
        context = self._context
        key = context.headers.get(b"idempotency-key")
        return RequestFacts(
            context.request_id,
            key.decode("latin-1")[:128] if key else None,
            route,
            context.caller.name or None,
        )
