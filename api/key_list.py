"""The list of API keys as operators write it: JSON in a setting or in a file."""

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from api.rate_limit_syntax import RateLimitText

_MAX_BYTES = 1024 * 1024
_MAX_REASONS = 20


class ApiKey(BaseModel):
    """A client that may call: its name, the hash of its key, and limits of its own on requests and on names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    limit: RateLimitText = ""
    name_limit: RateLimitText = ""


def parse_json_list(value: object) -> object:
    """Read text that holds a JSON list, and leave what is no text as it is.

    Raises:
        ValueError: the text is not JSON, or JSON of another type.
    """
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, list):
        raise ValueError("a JSON list is wanted")  # noqa: TRY004 - pydantic collects ValueErrors
    return parsed


def _differ(keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
    for field in ("name", "sha256"):
        if len({getattr(key, field) for key in keys}) < len(keys):
            raise ValueError(f"two keys have the same {field}")
    return keys


ApiKeys = Annotated[tuple[ApiKey, ...], BeforeValidator(parse_json_list), AfterValidator(_differ)]
"""A list of keys with different names and hashes, or its JSON, as a pydantic field."""
_adapter: TypeAdapter[tuple[ApiKey, ...]] = TypeAdapter(ApiKeys)


class KeyListError(ValueError):
    """A file of keys cannot be used; the message says why and quotes nothing of it."""


def read_key_file(path: Path) -> str:
    """Return the content of a file of keys; of a regular file only: opening a FIFO would wait for a writer.

    Raises:
        KeyListError: the file cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise KeyListError("the file is no regular file")
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise KeyListError(f"the file has more than {_MAX_BYTES} bytes")
        return content.decode()
    except (OSError, UnicodeDecodeError):
        raise KeyListError("the file cannot be read") from None


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """Return the keys of a JSON list.

    Raises:
        KeyListError: the text holds no list of keys.
    """
    try:
        return _adapter.validate_python(text)
    except ValidationError as error:
        reasons = [describe_problem(problem["loc"], problem["msg"]) for problem in error.errors()]
        raise KeyListError(join_problems(reasons)) from None


def describe_problem(place: Sequence[int | str], message: str) -> str:
    """Return what pydantic found wrong, behind its place and without the value."""
    message = message.removeprefix("Value error, ")
    return f"{'.'.join(map(str, place))}: {message}" if place else message


def join_problems(problems: Sequence[str]) -> str:
    """Return problems as one line, short enough for a log: the first of them, and how many more there are."""
    more = len(problems) - _MAX_REASONS
    return "; ".join([*problems[:_MAX_REASONS], *([f"and {more} more"] if more > 0 else [])])
