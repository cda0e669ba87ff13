"""Where the request log is: what the commands read of the service's settings."""

from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.hash_keys import HashKeys
from api.request_log.engines import check_postgresql_url, sqlite_url
from api.request_log.errors import RequestLogError
from api.request_log.outbox_file import FILE
from api.settings import PREFIX, explain


class Places(BaseSettings):
    """The settings that commands share with the service; they run in jobs that have no API keys, for example."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    request_log_dir: Path = Path("request_log")
    database_url: SecretStr = SecretStr("")
    name_hash_keys: Annotated[HashKeys, NoDecode] = ()

    @field_validator("database_url")
    @classmethod
    def _is_well_formed(cls, url: SecretStr) -> SecretStr:
        if url:
            check_postgresql_url(url.get_secret_value())
        return url

    @property
    def outbox(self) -> Path:
        """The SQLite file."""
        return self.request_log_dir / FILE

    @cached_property
    def url(self) -> str:
        """The database: PostgreSQL if the settings name one, else the SQLite file."""
        return self.database_url.get_secret_value() or sqlite_url(self.outbox)


def read_places() -> Places:
    """Return the settings.

    Raises:
        RequestLogError: one of them cannot be used.
    """
    try:
        return Places()
    except ValidationError as error:
        raise RequestLogError(explain(error)) from None
