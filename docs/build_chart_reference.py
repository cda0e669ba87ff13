"""Write the chart's README.md and values.schema.json from values.yaml; with --check, only say which are stale.

A comment above a key is its meaning, up to `@schema {...}`, which adds to the JSON schema that its default implies;
`## Title` begins a section. A key whose type includes "null" may be left out. Run by `make docs`.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[1] / "infra" / "chart_api"
_SCHEMA = "@schema "
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
_NAME = "[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_LIMIT = "[1-9][0-9]{0,8}/[0-9]{0,4}(second|minute|hour|day)s?"
_SIZE = "[0-9]+(\\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)?"
_DEFINITIONS: dict[str, Any] = {
    # --set reads a name of digits as a number
    "objectName": {"type": ["string", "integer"], "pattern": f"^({_NAME})?$", "minimum": 0},
    "rateLimit": {"type": "string", "pattern": f"^({_LIMIT}(;{_LIMIT})*)?$"},
    "cpu": {"type": ["string", "number", "null"], "pattern": "^([0-9]+m|[0-9]+(\\.[0-9]{1,3})?)?$"},
    "size": {"type": "string", "pattern": f"^{_SIZE}$"},
    "optionalSize": {"type": ["string", "null"], "pattern": f"^({_SIZE})?$"},
    "strings": {"type": "object", "additionalProperties": {"type": "string"}},
    "objects": {"type": "array", "items": {"type": "object"}},
}
_ROOT: dict[str, Any] = {
    "global": {"description": "Helm's own: what a parent chart shares with its dependencies", "type": "object"},
    "enabled": {"description": "For the `condition` of a parent chart; not read here", "type": "boolean"},
}


@dataclass(frozen=True)
class Value:
    """A key of values.yaml with its default, its comment, and the keys below it unless the comment closes it."""

    path: str
    section: str
    default: Any
    meaning: str
    schema: dict[str, Any]
    children: tuple["Value", ...]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def optional(self) -> bool:
        """Whether null takes the key away."""
        reference = self.schema.get("$ref", "").rpartition("/")[2]
        return "null" in _DEFINITIONS.get(reference, self.schema).get("type", "")


def main() -> None:
    """Write both files, or exit with 1 if one of them is not what values.yaml says."""
    values = read_values((CHART / "values.yaml").read_text(encoding="utf-8"))
    files = {"README.md": readme(values), "values.schema.json": json.dumps(schema(values), indent=2) + "\n"}
    stale = [name for name, text in files.items() if not _is_current(CHART / name, text)]
    if "--check" in sys.argv:
        sys.exit(f"{', '.join(stale)}: not what values.yaml says; run `make docs`" if stale else 0)
    for name in stale:
        (CHART / name).write_text(files[name], encoding="utf-8")


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def read_values(text: str) -> list[Value]:
    """Return the keys at the top, each with those below it.

    Raises:
        ValueError: a key without keys below it has no comment.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    return list(_keys(root, yaml.safe_load(text), text.splitlines(), ""))


def _keys(node: yaml.MappingNode, defaults: dict[str, Any], lines: list[str], prefix: str) -> Iterator[Value]:
    for key, below in node.value:
        meaning, extra = _comment(lines, key.start_mark.line)
        path, default = f"{prefix}{key.value}", defaults[key.value]
        nested = isinstance(below, yaml.MappingNode) and bool(below.value)
        children = tuple(_keys(below, default, lines, f"{path}.")) if nested else ()
        if not meaning and not children:
            raise ValueError(f"values.yaml: {path} has no comment")
        yield Value(path, _section(lines, key.start_mark.line), default, meaning, extra, children)


def _comment(lines: list[str], row: int) -> tuple[str, dict[str, Any]]:
    """Return the text right above a row, and the schema in it."""
    start = row
    while start and re.match(r"\s*#(?!#)", lines[start - 1]):
        start -= 1
    text = " ".join(line.strip().removeprefix("#").strip() for line in lines[start:row])
    meaning, _, extra = text.partition(_SCHEMA)
    return meaning.strip(), yaml.safe_load(extra) or {}


def _section(lines: list[str], row: int) -> str:
    return next((line.removeprefix("## ") for line in reversed(lines[:row]) if line.startswith("## ")), "Values")


def schema(values: list[Value]) -> dict[str, Any]:
    """Return the JSON schema: every object that values.yaml spells out is closed."""
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart name-classifier"}
    body = _object(values)
    body["properties"] |= _ROOT
    return head | body | {"definitions": _DEFINITIONS}


def _object(values: list[Value] | tuple[Value, ...], more: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [value.name for value in values if not value.optional],
        "properties": {value.name: _schema_of(value) for value in values} | (more or {}),
    }


def _schema_of(value: Value) -> dict[str, Any]:
    described = {"description": value.meaning} if value.meaning else {}
    if value.children:
        return described | _object(value.children, value.schema.get("properties"))
    if "$ref" in value.schema or "enum" in value.schema:
        return described | value.schema
    implied = {} if value.default is None else {"type": _TYPES[type(value.default)]}
    return described | implied | value.schema


def readme(values: list[Value]) -> str:
    """Return a page with a table of values for each section."""
    intro = """# name-classifier

<!-- Written by `make docs` from the comments of values.yaml. -->

A Helm chart (Helm 3 and 4, Kubernetes 1.20 and later) for the service that tells which class, such as a language, a
name comes from. [docs/operating.md](../../docs/operating.md) shows how to install, upgrade and operate it.
`values.dev.yaml` and `values.prod.yaml` hold only what differs from the defaults below; `values.schema.json` refuses
unknown keys. Where a value may be null, an empty string does the same: Helm 4 does not pass on a null in the
values.yaml of a parent chart.
"""
    rows = [(leaf.section, leaf) for leaf in _leaves(values)]
    sections = dict.fromkeys(section for section, _ in rows)
    tables = [
        "\n".join([f"\n## {title}\n", "| value | default | meaning |", "| --- | --- | --- |", *map(_row, leaves)])
        for title in sections
        if (leaves := [leaf for section, leaf in rows if section == title])
    ]
    return intro + "\n".join(tables) + "\n"


def _leaves(values: list[Value] | tuple[Value, ...]) -> Iterator[Value]:
    for value in values:
        if value.meaning or not value.children:
            yield value
        yield from _leaves(value.children)


def _row(value: Value) -> str:
    default = "" if value.children else f"`{json.dumps(value.default)}`"
    return f"| `{value.path}` | {default} | {value.meaning.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    main()
