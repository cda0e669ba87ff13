"""API keys: make one, and find whose key a client holds. Only hashes are kept."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence

from api.key_list import ApiKey


def new_key(name: str) -> tuple[str, str]:
    """Return a random key, to be shown once, and its JSON entry for NAME_CLASSIFIER_API_KEYS.

    Raises:
        ValueError: the name cannot be that of a key (pydantic's ValidationError).
    """
    key = secrets.token_urlsafe(32)
    entry = ApiKey(name=name, sha256=hashlib.sha256(key.encode()).hexdigest())
    return key, json.dumps(entry.model_dump(exclude_defaults=True))


class KeyRing:
    """Who has which key; the keys may be replaced while the service runs."""

    def __init__(self, keys: Sequence[ApiKey], *, required: bool) -> None:
        self.required = required
        """Whether a request needs a key; with a file of keys it does even while the file lists none."""
        self.replace(keys)

    def replace(self, keys: Sequence[ApiKey]) -> None:
        """Let these keys in and no others."""
        self.keys = tuple(keys)
        self._by_name = {key.name: key for key in keys}
        self._hashes = [(key.name, bytes.fromhex(key.sha256)) for key in keys]

    def owner(self, sent: bytes) -> str:
        """Return the name of a key, or nothing; takes as long whichever key it is, and whether it is one."""
        digest = hashlib.sha256(sent).digest()
        found = ""
        for name, known in self._hashes:
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def named(self, name: str) -> ApiKey | None:
        """Return the entry of a key by its name."""
        return self._by_name.get(name)
