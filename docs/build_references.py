"""Write docs/settings.md, docs/routes.md and docs/metrics.md from the code; with --check, only say which are stale.

Run by `make docs`, from the repository's root.
"""

import ast
import asyncio
import inspect
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import Metric
from pydantic import SecretStr

from api.main import create_app
from api.settings import PREFIX, RequestLogMode, Settings

FOLDER = Path(__file__).parent
_LINE = re.compile(r"(?<!\n)\n(?!\n)")


def main() -> None:
    """Write the references, or exit with 1 if one of them is not what the code says."""
    with tempfile.TemporaryDirectory() as folder:
        database = SecretStr("postgresql+psycopg://")  # never connected to; with one, there are more metrics
        app = create_app(Settings(request_log=RequestLogMode.FAST, request_log_dir=Path(folder), database_url=database))
        app.state.request_log.metrics.fail("commit", OSError())
    pages = {"settings.md": settings_page(), "routes.md": routes_page(app.openapi()), "metrics.md": metrics_page(app)}
    stale = [name for name, text in pages.items() if not _is_current(FOLDER / name, text)]
    if "--check" in sys.argv:
        sys.exit(f"docs/{', docs/'.join(stale)}: not what the code says; run `make docs`" if stale else 0)
    for name in stale:
        (FOLDER / name).write_text(pages[name], encoding="utf-8")


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def settings_page() -> str:
    """Return every setting as a row: variable, default, meaning."""
    meanings = _docstrings(Settings)
    rows = [
        (f"`{PREFIX}{name.upper()}`", _default(field.default), meanings[name])
        for name, field in Settings.model_fields.items()
    ]
    intro = (
        "Environment variables, read at the start; a bad one ends the start with a sentence. Sizes are in bytes, times "
        "in seconds."
    )
    return _page("Settings", intro, *_table(("variable", "default", "meaning"), rows))


def _docstrings(cls: type) -> dict[str, str]:
    """Return the string below each field of a class, on one line."""
    (tree,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _default(value: object) -> str:
    if value in ((), None, "", SecretStr("")):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def routes_page(document: dict[str, Any]) -> str:
    """Return every operation of an OpenAPI document by its tag: what it does, takes and answers."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            section = by_tag.setdefault(operation["tags"][0], [])
            section += ["", f"### {method.upper()} {path}", "", *_operation(operation, document)]
    intro = (
        "Where the settings list API keys, a route needs one unless it says otherwise. Every error is an "
        "`application/problem+json`. The pages `/`, `/docs` and `/openapi.json` are open."
    )
    sections = [line for tag, lines in by_tag.items() for line in ("", f"## {tag.capitalize()}", *lines)]
    return _page("Routes", intro, *sections[1:])


def _operation(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    yield _LINE.sub(" ", operation.get("description", operation["summary"])).strip()
    if rows := [*_parameters(operation), *_bodies(operation, document)]:
        yield from ("", *_table(("takes", "in", "meaning"), rows))
    responses = operation["responses"]
    success = min(responses)
    nothing = "nothing" if success == "204" else "text"
    kinds = " or ".join(f"`{kind}`" for kind in responses[success].get("content", {})) or nothing
    errors = ", ".join(sorted(responses.keys() - {success}))
    key = " Needs no key." if operation.get("security") == [] else ""
    yield from ("", f"Answers with {kinds}{f'; errors: {errors}' if errors else ''}.{key}")


def _parameters(operation: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for parameter in operation.get("parameters", []):
        yield f"`{parameter['name']}`", parameter["in"], parameter.get("description", "")


def _bodies(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the fields of an object, or the body itself, for each media type that an operation takes."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        fields = _resolve(content.get("schema", {}), document).get("properties", {})
        for name, field in fields.items():
            yield f"`{name}`", media_type, field.get("description", "")
        if not fields:
            yield "the body", media_type, ""


def _resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference within the document."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema


def metrics_page(app: FastAPI) -> str:
    """Return every metric as a row: name, type, labels, meaning; an app that has answered shows its labels."""
    asyncio.run(_answer_something(app))
    families = [family for family in app.state.metrics.registry.collect() if not _is_of_the_process(family.name)]
    rows = [
        (f"`{_exposed(family)}`", family.type, ", ".join(_labels(family)), family.documentation) for family in families
    ]
    intro = (
        "`GET /metrics` answers with these, with those of the process and of Python's garbage collector "
        "(`process_*`, `python_*`), as Prometheus text or OpenMetrics. `route` is a template such as "
        "`/v2/models/{model}`, or `unmatched`."
    )
    return _page("Metrics", intro, *_table(("metric", "type", "labels", "meaning"), sorted(rows)))


async def _answer_something(app: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        await client.post("/v1/predict", json={"names": ["Kowalska", "asdfghjkl"]})


def _is_of_the_process(name: str) -> bool:
    return name.startswith(("process_", "python_"))


def _exposed(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _labels(family: Metric) -> list[str]:
    return sorted({f"`{label}`" for sample in family.samples for label in sample.labels if label != "le"})


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(_LINE.sub(' ', cell).replace('|', chr(92) + '|') for cell in row)} |"


def _page(title: str, intro: str, *lines: str) -> str:
    return "\n".join((f"# {title}", "", "<!-- Written by `make docs`. -->", "", intro, "", *lines)) + "\n"


if __name__ == "__main__":
    main()
