"""Hashes of names: one for all spellings that fold alike, another under each key."""

import hmac
import json
from hashlib import sha256

import pytest

from api.hash_keys import PLAIN, digest, parse_hash_keys

SECRET = ("5ec4e7" * 11)[:64]
KEYS = [{"id": "2026-11", "key": "0b" * 32}, {"id": "2025-11", "key": "AB" * 32}]


def test_a_name_is_hashed_as_it_folds() -> None:
    new, old = parse_hash_keys(json.dumps(KEYS))
    assert digest("Müller", new) == (hmac.new(b"\x0b" * 32, b"muller", sha256).hexdigest(), "2026-11")
    assert digest(" MULLER ", new) == digest("Mu\u0308ller", new) != digest("Miller", new)
    assert digest("Müller", old) == (hmac.new(b"\xab" * 32, b"muller", sha256).hexdigest(), "2025-11")
    assert digest("Müller", None) == (sha256(b"muller").hexdigest(), PLAIN)


@pytest.mark.parametrize(
    "text",
    [
        "secret",
        "{}",
        '[{"id": "a", "key": "secret"}]',
        '[{"id": "", "key": "%s"}]'.replace("%s", SECRET),
        '[{"id": "a b", "key": "%s"}]'.replace("%s", SECRET),
        '[{"id": "a", "key": "%s", "secret": 1}]'.replace("%s", SECRET),
        json.dumps([KEYS[0], KEYS[1] | {"id": "2026-11"}]),
    ],
)
def test_bad_keys_are_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"wanted|pattern|permitted|same id") as caught:
        parse_hash_keys(text)
    assert "5ec4e7" not in str(caught.value)


def test_a_key_is_not_shown() -> None:
    (key,) = parse_hash_keys(json.dumps(KEYS[:1]))
    assert "0b0b" not in repr(key)
