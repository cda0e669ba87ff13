"""API keys: make one, find the one that a request holds, and whose it is. Only hashes are kept."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence

from api.settings import ApiKey

_BEARER = b"bearer "


def new_key(name: str) -> tuple[str, str]:
    """Return a random key, to be shown once, and its JSON entry for NAME_CLASSIFIER_API_KEYS.

    Raises:
        ValueError: the name cannot be that of a key (pydantic's ValidationError).
    """
    key = secrets.token_urlsafe(32)
    entry = ApiKey(name=name, sha256=hashlib.sha256(key.encode()).hexdigest())
    return key, json.dumps(entry.model_dump(exclude_defaults=True))


def sent_key(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the key of a request's headers (names in lower case), or nothing.

    X-API-Key comes before Authorization: a proxy may need the latter for itself.
    """
    bearer = b""
    for name, value in headers:
        if name == b"x-api-key":
            return value
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            bearer = value[len(_BEARER) :].strip()
    return bearer


class KeyRing:
    """Who has which key."""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._owners = [(key.name, bytes.fromhex(key.sha256)) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._owners)

    def owner(self, sent: bytes) -> str:
        """Return the name of a key, or nothing; takes as long whichever key it is, and whether it is one."""
        digest = hashlib.sha256(sent).digest()
        found = ""
        for name, known in self._owners:
            if hmac.compare_digest(known, digest):
                found = name
        return found
