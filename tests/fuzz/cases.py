"""The requests of cases.toml."""

import re
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from tests.fuzz.sending import MODEL, Request

_BYTE = re.compile(rb"\\x([0-9a-f]{2})")
_REPEATED = re.compile(rb"<<(.+?)\*(\d+)>>", re.DOTALL)
_BINARY = b"<binary>"


def load(mode: str) -> Iterator[Request]:
    """Yield the requests of every group that is for a mode of running the service, or for all."""
    groups = tomllib.loads(Path(__file__).with_name("cases.toml").read_text(encoding="utf-8"))["group"]
    for group in groups:
        if group.get("mode", mode) == mode:
            for template, value in product(group["requests"], group.get("values", {"": ""}).items()):
                yield _request(group, template, *value)


def _request(group: dict[str, Any], template: list[Any], what: str, value: str | list[Any]) -> Request:
    text, status = (value, template[2]) if isinstance(value, str) else value

    def fill(place: str) -> bytes:
        return _expand(place.replace("INFER", f"{MODEL}/infer").replace("VALUE", text))

    method, _, target = fill(template[0]).decode().partition(" ")
    json_part, binary, tensors = fill(template[1]).partition(_BINARY)
    header, _, content = fill(group.get("header", "")).partition(b": ")
    headers = {header.decode(): content} if header else {}
    if binary:
        headers["inference-header-content-length"] = str(len(json_part)).encode()
    statuses = frozenset(status if isinstance(status, list) else [status])
    return Request(f"{group['name']}: {what}", method, target, headers, json_part + tensors, statuses)


def _expand(text: str) -> bytes:
    """Return what a text of cases.toml stands for."""
    raw = _BYTE.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode())
    return _REPEATED.sub(lambda found: found[1] * int(found[2]), raw)
