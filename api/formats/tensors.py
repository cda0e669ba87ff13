"""Values of tensors, nested or packed, as the Open Inference Protocol sends them.

Packed, a number is eight bytes, little-endian; a string follows its length in four bytes.
"""

import struct
from collections.abc import Sequence

from api.errors import FieldError


def flatten(data: Sequence[object], field: str, *, nested: bool) -> list[str]:
    """Return the strings of flat data or, where `nested` allows for them, of rows of one string each.

    Raises:
        FieldError: there is something else; it says where in `field`.
    """
    strings = []
    for place, item in enumerate(data):
        string = item[0] if nested and isinstance(item, list) and len(item) == 1 else item
        if not isinstance(string, str):
            raise FieldError(f"{field}.{place}", "It must be a string.")
        strings.append(string)
    return strings


def unpack(raw: bytes, field: str) -> list[str]:
    """Return the strings of packed data.

    Raises:
        FieldError: a length points past the end, or a string is not UTF-8; it says where in `field`.
    """
    strings: list[str] = []
    end = 0
    while end < len(raw):
        start = end + 4
        end = start + int.from_bytes(raw[end:start], "little")
        if end > len(raw):
            raise FieldError(f"{field}.{len(strings)}", "It ends after the end of the binary data.")
        try:
            strings.append(raw[start:end].decode())
        except UnicodeDecodeError:
            raise FieldError(f"{field}.{len(strings)}", "It is not UTF-8.") from None
    return strings


def pack(values: Sequence[str] | Sequence[float]) -> bytes:
    """Return strings or numbers in their packed form."""
    return b"".join(map(_pack_value, values))


def _pack_value(value: str | float) -> bytes:
    if isinstance(value, str):
        encoded = value.encode()
        return struct.pack("<I", len(encoded)) + encoded
    return struct.pack("<d", value)
