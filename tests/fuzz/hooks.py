"""What schemathesis does here besides its own: names hold a marker, and every answer is judged as all others are."""

import json
import os
from typing import Any

import schemathesis

from tests.fuzz.judge import find_fault
from tests.fuzz.markers import MARKERS
from tests.fuzz.sending import Answer

VERSION = "SERVED_VERSION"
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
_NAMES = {"name", "names", "data"}
_TENSORS = {"name", "label", "log_probability", "probability", "abstained"}


def _marked(found: Any, *, inside: bool = False) -> Any:
    """Return a value whose names start with a marker; they are as long as before, if that is long enough."""
    if isinstance(found, str) and inside and found and found not in _TENSORS:
        marker = MARKERS[len(found) % 2]
        return (marker + found)[: max(len(found), len(marker))]
    if isinstance(found, list):
        return [_marked(item, inside=inside) for item in found]
    if isinstance(found, dict):
        return {key: _marked(one, inside=key in _NAMES) for key, one in found.items()}
    return found


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    del context
    return _marked(body)


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    del context
    return _marked(query)


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Ask about the served version every other time: no other one is answered."""
    del context
    version = (path_parameters or {}).get("version")
    if isinstance(version, str) and len(version) % 2:
        return path_parameters | {"version": os.environ[VERSION]}
    return path_parameters


@schemathesis.serializer(*_LINES)
def write_line(context: Any, value: Any) -> bytes:
    del context
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"


@schemathesis.deserializer(_LINES[0])
def read_line(context: Any, response: Any) -> Any:
    """Return the answer to the one line that was sent."""
    del context
    return json.loads(response.content.splitlines()[0])


@schemathesis.check
def every_answer(context: Any, response: Any, case: Any) -> None:
    del context, case
    headers = {name.lower(): ", ".join(values) for name, values in response.headers.items()}
    if fault := find_fault(Answer(response.status_code, headers, response.content)):
        raise AssertionError(fault)
