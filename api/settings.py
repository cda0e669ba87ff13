"""Environment variables to typed settings. Knows no HTTP."""

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.middleware.rate_counters import MEMORY, parse_limits

PREFIX = "NAME_CLASSIFIER_"


class Environment(StrEnum):
    """How strict the start is: production refuses what is only good enough for a try."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogLevel(StrEnum):
    """Least severity that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _limits(text: str) -> str:
    parse_limits(text)
    return text


Limits = Annotated[str, AfterValidator(_limits)]


class ApiKey(BaseModel):
    """A client that may ask: its name, the hash of its key, and limits of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    limit: Limits = ""


def _json(value: object) -> object:
    """Read an environment variable that holds JSON; pydantic-settings would not name the variable in its error."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("give a JSON list") from None


class Settings(BaseSettings):
    """Each field is read from NAME_CLASSIFIER_<FIELD>; the README's table lists them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: Annotated[str, AfterValidator(lambda host: host.removeprefix("[").removesuffix("]"))] = "127.0.0.1"
    """Address to listen on; the image sets 0.0.0.0, and :: is every address of IPv6 and IPv4."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    """Port to listen on."""
    bundle_dir: Path = Path("artifacts")
    """Folder of the bundle that is served, or of a store: then its champion."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    """Cores that one model call may use; keep it at or below the CPU limit."""
    log_level: LogLevel = LogLevel.INFO
    """Least severity that is logged: debug, info, warning or error."""
    log_requests_per_second: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    """Requests logged in a second at most; failures are logged always."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] = 1280 * 1024
    """Largest request body; a larger one is refused with 413. 1,000 names of 100 letters fit, each letter escaped."""
    max_buffered_bytes: Annotated[int, Field(ge=1024)] = 32 * 1024 * 1024
    """All request bodies that are held in memory at once; what comes on top gets 503."""
    max_concurrency: Annotated[int, Field(ge=1, le=100_000)] = 1024
    """Requests in work at once; what comes on top gets 503. Streams and probes do not count."""
    max_streams: Annotated[int, Field(ge=1, le=10_000)] = 16
    """Streams and files in work at once."""
    max_streams_per_caller: Annotated[int, Field(ge=1, le=10_000)] = 8
    """Streams and files of one caller in work at once: a key, or an address if there are no keys."""
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 2_500
    """Open connections, about as many as a core answers in half a second; on top, only probes are answered."""
    head_seconds: Annotated[float, Field(gt=0, le=3600)] = 10
    """Time for the head of a request to arrive."""
    body_seconds: Annotated[float, Field(gt=0, le=3600)] = 10
    """Time for the body of a request to arrive."""
    idle_seconds: Annotated[float, Field(gt=0, le=3600)] = 30
    """Time that a stream may stand still, or an answer go unread."""
    keep_alive_seconds: Annotated[int, Field(ge=1, le=3600)] = 75
    """Time that a connection stays open without a request."""
    drain_seconds: Annotated[float, Field(ge=0, le=600)] = 0
    """After SIGTERM: how long new work is still taken while /readyz already says no."""
    max_file_bytes: Annotated[int, Field(ge=1024)] = 50 * 1024 * 1024
    """Largest body of /v1/predict/file."""
    max_stream_bytes: Annotated[int, Field(ge=0)] = 0
    """Largest body of /v1/predict/stream; 0 is any."""
    shutdown_grace_seconds: Annotated[int, Field(ge=0, le=600)] = 15
    """How long requests in flight may take to finish after SIGTERM."""
    environment: Environment = Environment.DEVELOPMENT
    """development, or production: then the start is refused with unsafe settings."""
    api_keys: Annotated[tuple[ApiKey, ...], NoDecode, BeforeValidator(_json)] = ()
    """JSON list of {"name", "sha256", "limit"}, made by `python -m api key NAME`; none: everybody may ask."""
    api_keys_file: Path | None = None
    """File that holds api_keys, such as a mounted Secret."""
    rate_limit: Limits = ""
    """Limits of each caller without limits of its own: a key, or an address if there are no keys."""
    rate_limit_storage: Annotated[str, Field(repr=False, pattern=r"^(memory://|rediss?://\S+)$")] = MEMORY
    """Where requests are counted: in each process, or in a Redis that processes share."""
    docs_enabled: bool = True
    """Serve /docs and /openapi.json."""
    metrics_enabled: bool = True
    """Serve /metrics."""
    cors_origins: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")], ...], NoDecode, BeforeValidator(_json)
    ] = ()
    """JSON list of the origins whose pages may call the service from a browser."""

    @model_validator(mode="before")
    @classmethod
    def _read_keys_file(cls, values: dict[str, Any]) -> dict[str, Any]:
        path = values.get("api_keys_file")
        if not path:
            return values
        if values.get("api_keys"):
            raise ValueError(f"{PREFIX}API_KEYS: give keys there or in {PREFIX}API_KEYS_FILE, not in both")
        try:
            return values | {"api_keys": Path(path).read_text(encoding="utf-8")}
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"{PREFIX}API_KEYS_FILE: the file cannot be read") from None

    @field_validator("api_keys")
    @classmethod
    def _differ(cls, keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
        for what in ("name", "sha256"):
            if len({getattr(key, what) for key in keys}) < len(keys):
                raise ValueError(f"two keys have the same {what}")
        return keys

    @field_validator("rate_limit_storage")
    @classmethod
    def _has_its_client(cls, url: str) -> str:
        if url != MEMORY and (find_spec("redis") is None or find_spec("limits") is None):
            raise ValueError("Redis needs the Python packages limits and redis, which are not installed")
        try:
            urlsplit(url).port  # noqa: B018 reading it checks it
        except ValueError:
            raise ValueError("the port is no number") from None
        return url

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        if self.environment is Environment.PRODUCTION and (problems := list(self._unsafe())):
            raise ValueError("; ".join(f"{PREFIX}{problem}" for problem in problems))
        return self

    def _unsafe(self) -> Iterator[str]:
        if not self.api_keys:
            yield "API_KEYS: production needs at least one key"
        if not self.rate_limit and not (self.api_keys and all(key.limit for key in self.api_keys)):
            yield "RATE_LIMIT: production needs a limit, here or for every key"
        if "*" in self.cors_origins:
            yield "CORS_ORIGINS: production names each origin"
        if self.log_level is LogLevel.DEBUG:
            yield "LOG_LEVEL: production does not log at debug"


def explain(error: ValidationError) -> str:
    """Return all that is wrong with the settings, by their names and without their values."""
    return "; ".join(_explain(problem["loc"], problem["msg"]) for problem in error.errors())


def _explain(place: Sequence[int | str], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not place:  # what concerns several settings names them itself
        return message
    name, *inside = map(str, place)
    return f"{PREFIX}{name.upper()}: {'.'.join(inside) + ': ' if inside else ''}{message}"
