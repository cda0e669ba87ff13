"""Environment variables to typed settings. Knows no HTTP."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "NAME_CLASSIFIER_"


class LogLevel(StrEnum):
    """Least severity that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(BaseSettings):
    """Each field is read from NAME_CLASSIFIER_<FIELD>; the README's table lists them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: str = "127.0.0.1"
    """Address to listen on; the image sets 0.0.0.0."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    """Port to listen on."""
    bundle_dir: Path = Path("artifacts")
    """Folder of the bundle that is served, or of a store: then its champion."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    """Cores that one model call may use; keep it at or below the CPU limit."""
    log_level: LogLevel = LogLevel.INFO
    """Least severity that is logged: debug, info, warning or error."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] = 64 * 1024
    """Largest request body; a larger one is refused unread with 413."""
    max_concurrency: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Requests in work at once; what comes on top gets 503. Streams and probes do not count."""
    max_streams: Annotated[int, Field(ge=1, le=10_000)] = 16
    """Streams and files in work at once."""
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Open connections; what comes on top gets 503."""
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
    shutdown_grace_seconds: Annotated[int, Field(ge=0, le=600)] = 15
    """How long requests in flight may take to finish after SIGTERM."""
