"""Keyed hashes of names: the keys as operators write them in JSON, and the hash of a name under each."""

import hmac
from functools import cached_property
from hashlib import sha256
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from api.key_list import describe_problem, join_problems, parse_json_list
from model.utils import fold

PLAIN = ""
"""Where the id of a key would stand: a plain SHA-256."""


class HashKey(BaseModel):
    """A secret of 32 bytes that names are hashed with, and the id that rows name it by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    key: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{64}$", repr=False)]

    @cached_property
    def mac(self) -> hmac.HMAC:
        """HMAC-SHA-256 under this key, of nothing yet; to be copied, which takes less time than a new one."""
        return hmac.new(bytes.fromhex(self.key), digestmod="sha256")


def _differ(keys: tuple[HashKey, ...]) -> tuple[HashKey, ...]:
    if len({key.id for key in keys}) < len(keys):
        raise ValueError("two keys have the same id")
    return keys


HashKeys = Annotated[tuple[HashKey, ...], BeforeValidator(parse_json_list), AfterValidator(_differ)]
"""A list of keys with different ids, or its JSON, as a pydantic field; the first one hashes new rows."""
_adapter: TypeAdapter[tuple[HashKey, ...]] = TypeAdapter(HashKeys)


def parse_hash_keys(text: str) -> tuple[HashKey, ...]:
    """Return the keys of a JSON list.

    Raises:
        ValueError: the text holds no list of keys; the message quotes nothing of it.
    """
    try:
        return _adapter.validate_python(text)
    except ValidationError as error:
        reasons = [describe_problem(problem["loc"], problem["msg"]) for problem in error.errors()]
        raise ValueError(join_problems(reasons)) from None


def digest(name: str, key: HashKey | None) -> tuple[str, str]:
    """Return the hash of a name's folded form, 64 hexadecimal digits, and the id of its key; PLAIN without a key.

    Raises:
        InvalidNameError: the name cannot be folded.
    """
    return digest_folded(fold(name), key)


def digest_folded(folded: str, key: HashKey | None) -> tuple[str, str]:
    """Return what `digest` does, of a name that is folded already."""
    if key is None:
        return sha256(folded.encode()).hexdigest(), PLAIN
    mac = key.mac.copy()
    mac.update(folded.encode())
    return mac.hexdigest(), key.id
