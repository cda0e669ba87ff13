"""Environment variables to typed settings."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.database_url import check_database_url
from api.hash_keys import HashKeys
from api.key_list import (
    ApiKey,
    ApiKeys,
    KeyListError,
    describe_problem,
    join_problems,
    parse_json_list,
    parse_keys,
    read_key_file,
)
from api.rate_limit_syntax import RateLimitText

PREFIX = "NAME_CLASSIFIER_"
MEMORY = "memory://"
ANY_PROXY = "*"


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


class RequestLogMode(StrEnum):
    """Whether requests are recorded, and whether an answer waits until it is."""

    OFF = "off"
    FAST = "fast"
    STRICT = "strict"


class RecordedNames(StrEnum):
    """What the request log keeps of a name."""

    RAW = "raw"
    HASHED = "hashed"
    ABSENT = "absent"


class FullPolicy(StrEnum):
    """What happens to requests while the request log cannot be written."""

    SKIP = "skip"
    REFUSE = "refuse"


class RateLimitFailure(StrEnum):
    """What happens to requests while the shared storage of limits does not answer."""

    OPEN = "open"
    CLOSED = "closed"


def _network(text: str) -> str:
    try:
        return text if text == ANY_PROXY else str(ip_network(text))
    except ValueError:
        raise ValueError("give addresses or networks such as 10.0.0.0/8, without bits behind the prefix") from None


class Settings(BaseSettings):
    """Each field is read from NAME_CLASSIFIER_<FIELD>; docs/settings.md lists them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: Annotated[str, AfterValidator(lambda host: host.removeprefix("[").removesuffix("]"))] = "127.0.0.1"
    """Address to listen on; the image sets 0.0.0.0, and :: is every address of IPv6 and IPv4."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    """Port to listen on."""
    bundle_dir: Path = Path("artifacts")
    """Folder of the bundle that is served, or of a store: then its champion."""
    fallback_bundle_dir: Path | None = None
    """Folder of the bundle that is served as long as bundle_dir is empty, or a store without a champion."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    """Cores that one model call may use; keep it at or below the CPU limit."""
    log_level: LogLevel = LogLevel.INFO
    """Least severity that is logged: debug, info, warning or error."""
    log_requests_per_second: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    """Requests logged in a second at most; failures are logged always."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] = 1280 * 1024
    """Largest request body; a larger one is refused with 413. 1,000 names of 100 letters fit, each letter escaped."""
    max_buffered_bytes: Annotated[int, Field(ge=1024)] = 32 * 1024 * 1024
    """All request bodies that are held in memory at once; any beyond that get 503."""
    max_unsent_bytes: Annotated[int, Field(ge=1024 * 1024)] = 32 * 1024 * 1024
    """All answers that wait in memory for their clients to read; beyond it, the slowest readers are disconnected."""
    max_concurrency: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Requests in progress at once; any beyond that get 503. Streams and probes do not count."""
    max_streams: Annotated[int, Field(ge=1, le=10_000)] = 16
    """Streams and files in progress at once."""
    max_streams_per_caller: Annotated[int, Field(ge=1, le=10_000)] = 8
    """Streams and files of one caller in progress at once: a key, or an address if there are no keys."""
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Open connections, fewer where the limit on open files is low; beyond them, only probes are answered."""
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
    api_keys: Annotated[ApiKeys, NoDecode] = ()
    """JSON list of {"name", "sha256", "limit", "name_limit"}, see `python -m api key`; without, no key is needed."""
    api_keys_file: Path | None = None
    """File of api_keys, such as a mounted Secret; read again when it changes. With it, a key is always needed."""
    rate_limit: RateLimitText = ""
    """Limits on requests of each caller without a `limit` of its own: a key, or an address if there are no keys."""
    name_rate_limit: RateLimitText = ""
    """Limits on names of each caller without a `name_limit` of its own; a longer list gets 429, a stream slows down."""
    rate_limit_storage: Annotated[str, Field(repr=False, pattern=r"^(memory://|rediss?://\S+)$")] = MEMORY
    """Where requests and names are counted: in each process, or in a Redis that processes share."""
    rate_limit_failure: RateLimitFailure = RateLimitFailure.OPEN
    """While Redis does not answer: open lets requests in uncounted, closed answers 503."""
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(parse_json_list)
    ] = ()
    """JSON list of the addresses or networks whose X-Forwarded-For is believed; "*", not in production, is any."""
    request_log: RequestLogMode = RequestLogMode.FAST
    """Record requests: off; fast, where a kill can lose the last commit; strict, where answers wait for theirs."""
    request_log_dir: Path = Path("request_log")
    """Folder of the outbox, the SQLite file that rows are written to first; the image sets /data."""
    database_url: SecretStr = SecretStr("")
    """postgresql+psycopg://… that rows are shipped to; without, the outbox is the database."""
    request_log_names: RecordedNames | None = None
    """What is kept of a name: raw, hashed or absent. By default raw; in production hashed with keys, else absent."""
    name_hash_keys: Annotated[HashKeys, NoDecode, Field(repr=False)] = ()
    """JSON list of {"id", "key"}, a key being 64 hexadecimal digits; the first one hashes, all can erase."""
    request_log_full: FullPolicy = FullPolicy.SKIP
    """While the outbox cannot be written: skip answers unrecorded, refuse answers 503."""
    request_log_max_bytes: Annotated[int, Field(ge=1024 * 1024)] = 1024 * 1024 * 1024
    """Largest size of the outbox."""
    docs_enabled: bool = True
    """Serve /docs and /openapi.json."""
    metrics_enabled: bool = True
    """Serve /metrics."""
    cors_origins: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")], ...],
        NoDecode,
        BeforeValidator(parse_json_list),
    ] = ()
    """JSON list of the origins whose pages may call the service from a browser."""

    @model_validator(mode="before")
    @classmethod
    def _read_keys_file(cls, values: dict[str, Any]) -> dict[str, Any]:
        path = values.get("api_keys_file")
        if path is None:
            return values
        if not str(path):
            raise ValueError(f"{PREFIX}API_KEYS_FILE: the name of the file is empty")
        if values.get("api_keys"):
            raise ValueError(f"{PREFIX}API_KEYS: give keys there or in {PREFIX}API_KEYS_FILE, not in both")
        try:
            return values | {"api_keys": parse_keys(read_key_file(Path(path)))}
        except KeyListError as error:
            raise ValueError(f"{PREFIX}API_KEYS_FILE: {error}") from None

    @field_validator("database_url")
    @classmethod
    def _is_well_formed(cls, url: SecretStr) -> SecretStr:
        if url:
            check_database_url(url.get_secret_value())
        return url

    @field_validator("rate_limit_storage")
    @classmethod
    def _can_be_connected_to(cls, url: str) -> str:
        try:
            urlsplit(url).port  # noqa: B018 reading it checks it
        except ValueError:
            raise ValueError("the port is no number") from None
        if url != MEMORY:
            _check_redis_url(url)
        return url

    @property
    def recorded_names(self) -> RecordedNames:
        """What the request log keeps of a name."""
        if self.request_log_names:
            return self.request_log_names
        if self.environment is Environment.DEVELOPMENT:
            return RecordedNames.RAW
        return RecordedNames.HASHED if self.name_hash_keys else RecordedNames.ABSENT

    @property
    def key_needed(self) -> bool:
        """Whether requests need an API key; with a file of keys they do even while it lists none."""
        return bool(self.api_keys or self.api_keys_file)

    def lack_limits(self, keys: Sequence[ApiKey]) -> bool:
        """Tell whether a key has no limit where each needs one: in production."""
        unlimited = not self.rate_limit and not all(key.limit for key in keys)
        return unlimited and self.environment is Environment.PRODUCTION

    @model_validator(mode="after")
    def _has_keys_for_hashes(self) -> Self:
        if self.request_log_names is RecordedNames.HASHED and not self.name_hash_keys:
            raise ValueError(f"{PREFIX}NAME_HASH_KEYS: names cannot be hashed without a key")
        return self

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        if self.environment is Environment.PRODUCTION and (problems := list(self._unsafe())):
            raise ValueError("; ".join(f"{PREFIX}{problem}" for problem in problems))
        return self

    def _unsafe(self) -> Iterator[str]:
        if not self.api_keys:
            yield "API_KEYS: production needs at least one key"
        if self.lack_limits(self.api_keys) or not (self.rate_limit or self.api_keys):
            yield "RATE_LIMIT: production needs a limit, here or for every key"
        if any(proxy == ANY_PROXY or proxy.endswith("/0") for proxy in self.trusted_proxies):
            yield "TRUSTED_PROXIES: production names its proxies"
        if "*" in self.cors_origins:
            yield "CORS_ORIGINS: production names each origin"
        if self.log_level is LogLevel.DEBUG:
            yield "LOG_LEVEL: production does not log at debug"


def _check_redis_url(url: str) -> None:
    """Make a connection that is not opened: an option that Redis does not know fails only then."""
    from redis.asyncio import ConnectionPool

    try:
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - what the options of a URL raise is anything, and may quote a password
        raise ValueError("the client of Redis does not take the options behind the question mark") from None


def unknown_variables(names: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Yield each environment variable that begins as settings do and is none, and the nearest one that is."""
    known = [field.upper() for field in Settings.model_fields]
    for name in sorted(names):
        field = name.upper().removeprefix(PREFIX)
        if name.upper().startswith(PREFIX) and field not in known:
            nearest = get_close_matches(field, known, n=1)  # without the prefix, which would make all names alike
            yield name, f"{PREFIX}{nearest[0]}" if nearest else None


def explain(error: ValidationError) -> str:
    """Return what is wrong with the settings, by their names and without their values."""
    return join_problems([_explain(problem["loc"], problem["msg"]) for problem in error.errors()])


def _explain(place: Sequence[int | str], message: str) -> str:
    if not place:  # what concerns several settings names them itself
        return describe_problem((), message)
    name, *inside = place
    return f"{PREFIX}{str(name).upper()}: {describe_problem(inside, message)}"
