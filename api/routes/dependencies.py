"""What routes ask for, as `Annotated` aliases. All async: FastAPI would run a plain function in its thread pool."""

import re
from collections.abc import Collection, Sequence
from typing import Annotated, Protocol
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Header, HTTPException, Request, params

from api.classify.classifier import Answer, Classifier, InvalidNameAtError, Options
from api.classify.served_model import ModelHost, ServedModel
from api.classify.workers import Workers
from api.context import Caller, context_of
from api.errors import FieldError
from api.lifecycle import Lifecycle
from api.name_quota import NameQuota
from api.observability.metrics import Metrics
from api.recording import Recording
from api.request_log.request_log import RequestLog


class Classify(Protocol):
    """The use case, bound to one request."""

    async def __call__(self, names: Sequence[str], options: Options, field: str | None = None) -> Answer:
        """Return the answer; raises FieldError for a name of a list, else as `Classifier.classify` does."""


async def _host(request: Request) -> ModelHost:
    host: ModelHost = request.app.state.host
    return host


async def _served(request: Request) -> ServedModel:
    served: ServedModel = request.app.state.host.current
    context_of(request.scope).model_version = served.version
    return served


async def _lifecycle(request: Request) -> Lifecycle:
    lifecycle: Lifecycle = request.app.state.lifecycle
    return lifecycle


async def _workers(request: Request) -> Workers:
    workers: Workers = request.app.state.workers
    return workers


async def _names(request: Request) -> NameQuota:
    return context_of(request.scope).names


async def _recording(request: Request) -> Recording:
    return context_of(request.scope).recording


async def _classify(request: Request) -> Classify:
    """Return the use case, bound to the quota and the context of this request."""
    classifier: Classifier = request.app.state.classifier
    context = context_of(request.scope)

    async def classify(names: Sequence[str], options: Options, field: str | None = None) -> Answer:
        try:
            answer = await classifier.classify(names, options, context.names, context.recording)
        except InvalidNameAtError as error:
            if field is None:
                raise
            raise FieldError(f"{field}.{error.place}", str(error)) from None
        context.model_version = answer.served.version
        return answer

    return classify


async def _request_log(request: Request) -> RequestLog:
    log: RequestLog = request.app.state.request_log
    return log


async def _caller(request: Request) -> Caller:
    return context_of(request.scope).caller


async def _request_id(request: Request) -> str:
    return context_of(request.scope).request_id


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


_UTF_8 = ("utf-8", "utf8")
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s;"]*)', re.IGNORECASE)


def require_media_type(preferred: str, *more: str, charsets: Collection[str] = _UTF_8) -> params.Depends:
    """Return a dependency that gives the charset of a body, and refuses one that is declared as something else."""

    async def check(content_type: Annotated[str, Header(include_in_schema=False)] = "") -> str:
        if content_type.partition(";")[0].strip().lower() not in {preferred, *more}:
            raise HTTPException(415, f"Send the body as {preferred}.")
        declared = [charset.lower() for charset in _CHARSET.findall(content_type)] or ["utf-8"]
        if len(set(declared)) > 1 or declared[0] not in charsets:
            raise HTTPException(415, f"The charset is not known here; send the body as {preferred}; charset=utf-8.")
        charset: str = declared[0]
        return charset

    return params.Depends(check)


async def require_utf8_query(request: Request) -> None:
    """Refuse a query that is not UTF-8: what reads it would put other characters in the place of broken ones."""
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError:
        raise HTTPException(400, "The query is not UTF-8.") from None


ServedDep = Annotated[ServedModel, Depends(_served)]
"""The model that answers this request, wholly."""
LifecycleDep = Annotated[Lifecycle, Depends(_lifecycle)]
WorkersDep = Annotated[Workers, Depends(_workers)]
HostDep = Annotated[ModelHost, Depends(_host)]
"""Where models come from; what answers is `ServedDep`."""
ClassifyDep = Annotated[Classify, Depends(_classify)]
"""Names and options to an answer; `field` is where the request holds the names, for the error of one of them."""
NameQuotaDep = Annotated[NameQuota, Depends(_names)]
"""What the names of this request are charged to."""
RecordingDep = Annotated[Recording, Depends(_recording)]
"""Where the answers to this request are recorded."""
RequestLogDep = Annotated[RequestLog, Depends(_request_log)]
"""Only where requests are recorded."""
CallerDep = Annotated[Caller, Depends(_caller)]
RequestIdDep = Annotated[str, Depends(_request_id)]
MetricsDep = Annotated[Metrics, Depends(_metrics)]
RequireJson = require_media_type("application/json")
