"""What every answer must be, whatever was sent."""

import csv
import io
import json
import re
from typing import Any

from tests.fuzz.markers import find_marker
from tests.fuzz.sending import Answer

_STATUSES = frozenset({200, 204, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 431, 503})
_REQUIRED = {"type": str, "title": str, "status": int, "detail": str}
_OPTIONAL = {"errors": list, "error": str}
_DECLARATION = re.compile(r"\Asep=.\r\n")
_SECURITY = ("x-content-type-options", "content-security-policy", "referrer-policy", "cache-control")


def find_fault(answer: Answer, statuses: frozenset[int] = frozenset()) -> str | None:
    """Return what is wrong with an answer, or None."""
    if answer.status not in (statuses or _STATUSES) | {503}:
        return f"status {answer.status}, not {sorted(statuses or _STATUSES)}"
    if missing := [name for name in _SECURITY if name not in answer.headers]:
        return f"headers {missing} are missing"
    if find_marker(repr(answer.headers).encode()):
        return "a name stands in a header"
    if answer.status in {429, 503} and not answer.headers.get("retry-after", "").isdigit():
        return "no Retry-After"
    if answer.status >= 400:
        return _fault_of_problem(answer)
    return _fault_of_body(answer)


def _fault_of_problem(answer: Answer) -> str | None:
    if answer.headers.get("content-type") != "application/problem+json":
        return "an error that is no problem"
    if not answer.body:  # of HEAD
        return None
    if find_marker(answer.body):
        return "a name stands in an error"
    try:
        return _fault_of_fields(_read_json(answer.body), answer.status)
    except ValueError:
        return "a problem that is not JSON"


def _fault_of_fields(problem: Any, status: int) -> str | None:
    if not isinstance(problem, dict) or not _REQUIRED.keys() <= problem.keys() <= _REQUIRED.keys() | _OPTIONAL.keys():
        return "a problem with other fields than documented"
    if not all(isinstance(problem[key], kind) for key, kind in (_REQUIRED | _OPTIONAL).items() if key in problem):
        return "a field of a problem has another type than documented"
    if problem["status"] != status or not problem["title"] or not problem["detail"].rstrip("."):
        return "a problem that says too little"
    if problem.get("error", problem["detail"]) != problem["detail"]:
        return "error and detail differ"
    if not all(set(entry) == {"field", "detail"} for entry in problem.get("errors", [])):
        return "an entry of errors has other fields than documented"
    return None


def _fault_of_body(answer: Answer) -> str | None:
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    try:
        if media_type == "application/x-ndjson":
            found = [_without_id(_read_json(line)) for line in answer.body.splitlines()]
        elif media_type in {"text/csv", "text/tab-separated-values"}:
            found = _errors_of_rows(answer.body)
        elif media_type == "application/json":
            found = [_without_id(_read_json(answer.body))] if answer.body else []
        else:
            found = []
    except (ValueError, LookupError, csv.Error) as error:
        return f"not {media_type}: {type(error).__name__}"
    return "a name stands in the answer" if find_marker(json.dumps(found).encode()) else None


def _errors_of_rows(body: bytes) -> list[str]:
    """Return the cells of the column `error`; the others are the client's own."""
    text = _DECLARATION.sub("", body.decode("utf-8-sig"))
    delimiter = text.partition("error\r\n")[0][-1]
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    if {len(row) for row in rows} != {len(rows[0])}:
        raise ValueError("rows differ in length")
    return [row[-1] for row in rows[1:]]


def _without_id(answer: Any) -> Any:
    """Return an answer or a line without what is the client's own, given back on purpose."""
    return {key: value for key, value in answer.items() if key != "id"} if isinstance(answer, dict) else answer


def _read_json(content: bytes) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(content, parse_constant=refuse)
