"""The hot path: POST /get_prediction and /v1/predict of a few names, answered without routing and pydantic.

What it does not take (another media type, an unknown field, a name that cannot be answered) goes on to the ordinary
route, which says what is wrong with it. Both give the same answer, byte for byte.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.classify.classifier import FEW_NAMES, Answer, Classifier, Options
from api.context import RequestContext, context_of
from api.errors import RequestLogFullError
from api.formats.json_bodies import compat_body, predict_body
from api.name_quota import NameQuota
from api.problems import request_log_full
from model.errors import PredictionError

_decode = msgspec.json.Decoder().decode
_Question = tuple[list[str], Options]


class HotPath:
    """Answer the hot routes; pass everything else on."""

    def __init__(self, app: ASGIApp, *, classifier: Classifier) -> None:
        self._app = app
        self._classifier = classifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or pass it on with its body, which `RequestBody` has read whole."""
        route = _ROUTES.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if route is None or not _is_plain_json(scope):
            await self._app(scope, receive, send)
            return
        message = await receive()
        context = context_of(scope)
        context.route = scope["path"]
        try:
            body = await self._answer(route, message.get("body", b""), context)
        except RequestLogFullError:
            await request_log_full()(scope, receive, send)
            return
        if body is None:
            await self._app(scope, _replay(message, receive), send)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, route: "_Route", body: bytes, context: RequestContext) -> bytes | None:
        """Return the body of a 200, or None: the ordinary route answers."""
        read, write = route
        try:
            question = read(_decode(body))
            if question is None:
                return None
            quota, context.names = context.names, NameQuota.unlimited  # the ordinary route charges nothing more
            answer = await self._classifier.classify(*question, quota, context.recording)
            context.model_version = answer.served.version
            return write(answer, context, question[1])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, PredictionError):
            return None


def _is_plain_json(scope: Scope) -> bool:
    headers = context_of(scope).headers
    return (
        not scope["query_string"]
        and len(headers) == len(scope["headers"])
        and headers.get(b"content-type") == b"application/json"
    )


def _replay(message: Message, receive: Receive) -> Receive:
    """Return a `receive` that gives a message once more, then what follows it."""
    messages = [message]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


def _read_compat(document: Any) -> _Question | None:  # noqa: ANN401 - any JSON
    if type(document) is not dict:
        return None
    name, top_k = document.pop("name", None), document.pop("n_predictions", None)
    if document or type(name) is not str or not _is_count(top_k):
        return None
    return [name], Options(top_k, needs_label=True)


def _read_predict(document: Any) -> _Question | None:  # noqa: ANN401 - any JSON
    if type(document) is not dict:
        return None
    names, top_k = document.pop("names", None), document.pop("top_k", None)
    prior, abstain = document.pop("prior", "natural"), document.pop("abstain", False)
    if document or type(names) is not list or not 1 <= len(names) <= FEW_NAMES or not _is_count(top_k):
        return None
    if not all(type(name) is str for name in names) or type(abstain) is not bool:
        return None
    if prior not in ("natural", "uniform"):
        return None
    return names, Options(top_k, prior, abstain)


def _is_count(value: object) -> bool:
    return value is None or type(value) is int


def _write_compat(answer: Answer, context: RequestContext, options: Options) -> bytes:
    del context, options
    return compat_body(answer)


def _write_predict(answer: Answer, context: RequestContext, options: Options) -> bytes:
    return predict_body(answer, context.request_id, options)


_Route = tuple[Callable[[Any], _Question | None], Callable[[Answer, RequestContext, Options], bytes]]
_ROUTES: Mapping[str, _Route] = {
    "/get_prediction": (_read_compat, _write_compat),
    "/v1/predict": (_read_predict, _write_predict),
}
