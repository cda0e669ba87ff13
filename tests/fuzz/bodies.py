"""Names, values, documents and bodies at random, sound and damaged."""

import csv
import io
import json
import struct
from collections.abc import Sequence
from random import Random
from typing import Any

from markers import MARKERS

_ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz",
    "ABCßéøłđıæœþðħñžč'’-–. ",
    "абвгд иванов",
    "山田太郎 한국 ひらがな",
    "ابن محمد עברית",
    '0123456789 _/\\"<>&;%${}()',
    "\u0300\u0301\u0338\u0489\u200b\u200d\u2060\ufeff\u202e\u00ad",
    "😀👩‍👩‍👧🇵🇱\ufdfa\U0001f9ff\U000e0041",
    "\x00\x01\x07\x1b\x7f\x85\u2028\u2029\r\n\t\x0b",
    "\ue000\uf8ff\U0010ffff\ufffe\U000f0000",
)
_SURROGATES = "\ud800\udbff\udc00\udfff"
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 42, 43, 44, 1000, 2**31, 2**63, 2**64, 10**30, -(10**400)),
    *(0.0, -0.0, 0.5, 1.5, 3.0, 1e-320, 1e308, float("nan"), float("inf"), float("-inf")),
    *("", " ", "2", "null", "natural", "uniform", "English", "Polish", MARKERS[0]),
    *([], {}, [[]], [None], [1, "a"], {"English": 1}, {"English": -1.0}, {MARKERS[1]: 1.0}, {"": 0}),
)
_SPLINTERS = (b"\x00", b"\xff", b"\r\n", b"\n", b"\xed\xa0\x80", b'"', b"{", b"]", b"e9")
LABELS = ("English", "Irish", "Polish", "Japanese", "german", "")


def name(rng: Random) -> str:
    """Return a name that holds a marker, up to twice as long as is allowed."""
    alphabet = rng.choice(_ALPHABETS if rng.random() < 0.97 else (_SURROGATES,))
    around = [rng.choice(alphabet) for _ in range(rng.choice((0, 0, 0, 1, 3, 3, 10, 10, 30, 90, 91, 92, 93, 200)))]
    around.insert(rng.randrange(len(around) + 1), rng.choice(MARKERS))
    return "".join(around)


def value(rng: Random) -> Any:
    """Return something that JSON, or Python's idea of it, can hold."""
    if rng.random() < 0.8:
        return rng.choice(_VALUES)
    return rng.choice((name, lambda r: [name(r), value(r)], lambda r: {name(r): value(r)}, _deep))(rng)


def _deep(rng: Random) -> Any:
    found: Any = name(rng)
    for _ in range(rng.choice((5, 50, 400))):
        found = [found] if rng.random() < 0.5 else {"name": found}
    return found


def document(rng: Random, fields: dict[str, Any]) -> Any:
    """Return a sound document with, more often than not, something wrong in it."""
    found: Any = dict(fields)
    for _ in range(rng.choice((0, 1, 1, 2))):
        match rng.randrange(5):
            case 0 | 1:
                found[rng.choice(list(found) or ["name"])] = value(rng)
            case 2:
                found.pop(rng.choice(list(found) or [""]), None)
            case 3:
                found[name(rng)] = value(rng)
            case 4 if found:
                key = rng.choice(list(found))
                found[rng.choice((key.upper(), f" {key}", f"{key}\u200b", "__proto__"))] = found.pop(key)
    return found if rng.random() < 0.97 else rng.choice(([found], name(rng), value(rng)))


def dump(rng: Random, found: Any) -> bytes:
    """Return a document as JSON in one of the ways to write it."""
    escaped = rng.random() < 0.5
    separators = rng.choice(((",", ":"), (", ", ": "), (" ,\n", "\t:\r ")))
    text = json.dumps(found, ensure_ascii=escaped, separators=separators)
    if rng.random() < 0.03:
        text = text.replace("{", f'{{"name": "{rng.choice(MARKERS)}", ', 1)
    encoding = "utf-8" if rng.random() < 0.96 else rng.choice(("utf-16", "utf-8-sig", "utf-32", "utf-7"))
    return text.encode(encoding, "surrogatepass")


def damage(rng: Random, content: bytes) -> bytes:
    """Return content with a few bytes flipped, lost, doubled or put in."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        start = rng.randrange(len(found) + 1)
        end = min(len(found), start + rng.choice((1, 1, 2, 8, 100)))
        match rng.randrange(5):
            case 0 if start < len(found):
                found[start] ^= 1 << rng.randrange(8)
            case 1:
                del found[start:end]
            case 2:
                found[start:start] = found[start:end] * rng.choice((1, 1, 2, 50))
            case 3:
                found[start:start] = rng.choice(_SPLINTERS)
            case 4:
                found[start:end] = rng.randbytes(end - start)
    return bytes(found)


def names_document(rng: Random) -> dict[str, Any]:
    """Return what /v1/predict takes."""
    count = rng.choice((1, 1, 2, 8, 9, 40))
    found: dict[str, Any] = {"names": [name(rng) for _ in range(count)]}
    if rng.random() < 0.5:
        found |= {"top_k": rng.choice((1, 3, 43, 44, 0)), "abstain": rng.random() < 0.5}
    if rng.random() < 0.5:
        weights = {label: rng.random() for label in LABELS[:3]}
        found["prior"] = rng.choice(("natural", "uniform", weights, {"English": 0.0}))
    return found


def tensor_body(rng: Random) -> tuple[bytes, int | None]:
    """Return a body of the Open Inference Protocol, and the length of its JSON part if binary data follows."""
    names = [name(rng) for _ in range(rng.choice((1, 1, 2, 9)))]
    raw = b"".join(_pack(rng, one) for one in names)
    binary = rng.random() < 0.6
    shape = [len(names)]
    if rng.random() < 0.4:
        shape = rng.choice(([len(names), 1], [1, len(names)], [-1], [0], [10**9], [2, 2, 2], []))
    tensor: dict[str, Any] = {"name": "name", "datatype": "BYTES", "shape": shape}
    if binary:
        tensor["parameters"] = {"binary_data_size": len(raw) + rng.choice((*[0] * 15, 1, -1, 4, -(10**6), 2**40))}
    else:
        tensor["data"] = [[one] for one in names] if rng.random() < 0.3 else names
    tensor = document(rng, tensor) if rng.random() < 0.3 else tensor
    found: dict[str, Any] = {"id": rng.choice((None, "7", "a" * 128, "a" * 129)), "inputs": [tensor]}
    if rng.random() < 0.5:
        kinds = ("label", "log_probability", "probability", "abstained")
        odd = [rng.choice((kinds[0], name(rng)))] if rng.random() < 0.2 else []
        wanted = rng.sample(kinds, rng.randrange(5)) + odd
        found["outputs"] = [{"name": one, "parameters": {"binary_data": rng.random() < 0.5}} for one in wanted]
    if rng.random() < 0.5:
        found["parameters"] = document(rng, {"top_k": 3, "binary_data_output": rng.random() < 0.5, "prior": "uniform"})
        if rng.random() < 0.5:
            found["parameters"] = {"abstain": rng.random() < 0.5}
    head = dump(rng, document(rng, found) if rng.random() < 0.3 else found)
    if not binary:
        return head, None
    return head + raw, max(0, len(head) + rng.choice((*[0] * 15, 1, -1, 10**6, -len(head), 2**70)))


def _pack(rng: Random, text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogatepass")
    length = len(encoded) if rng.random() < 0.9 else rng.choice((0, 1, len(encoded) + 1, 2**31, 2**32 - 1))
    return struct.pack("<I", length) + encoded


def lines_body(rng: Random) -> bytes:
    """Return lines for the stream, some of them no names."""
    return rng.choice((b"\n", b"\n", b"\r\n", b"\n\n")).join(_line(rng) for _ in range(rng.choice((0, 1, 3, 20))))


def _line(rng: Random) -> bytes:
    asked: dict[str, Any] = {"name": name(rng)}
    if rng.random() < 0.5:
        asked["id"] = rng.choice((7, "a", None, [1, {}], 10**40))
    match rng.randrange(6):
        case 0 | 1:
            return json.dumps(name(rng)).encode()
        case 2 | 3:
            return json.dumps(asked).encode()
        case 4:
            return json.dumps(document(rng, asked)).encode()
        case _:
            return damage(rng, json.dumps(asked).encode())


def rows_body(rng: Random, delimiter: str) -> bytes:
    """Return a file of rows, some of them torn."""
    text = io.StringIO(newline="")
    quoting: Any = rng.choice((csv.QUOTE_ALL, csv.QUOTE_MINIMAL))
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=rng.choice(("\n", "\r\n")))
    columns = rng.choice((["name"], ["id", "name"], ["name", "", "x"], ["name", "name"], ["surname"], []))
    rows: list[Sequence[object]] = [columns]
    for _ in range(rng.choice((0, 1, 3, 20))):
        width = len(columns) + rng.choice((0, 0, 0, 0, 1, -1))
        rows += [[name(rng) for _ in range(width)]]
    writer.writerows(rows)
    content = text.getvalue().encode(rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16")), "surrogatepass")
    return damage(rng, content) if rng.random() < 0.4 else content
