"""Read what to train and how, from a TOML file and the command line."""

import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from model.classifier import Shape
from model.errors import ConfigError
from model.training import TrainingConfig

_Settings = TypeVar("_Settings")
_TABLES: dict[str, type[Shape | TrainingConfig]] = {"shape": Shape, "training": TrainingConfig}


def read_config(
    path: Path | None,
    *,
    architecture: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    ranked: str | None = None,
) -> tuple[Shape, TrainingConfig]:
    """Return the settings of a file with tables [shape] and [training]; arguments that are not None win over it.

    Raises:
        ConfigError: the file cannot be read or is no TOML, or a setting is unknown, of a wrong type or out of range.
    """
    tables = _read(path) if path else {}
    if unknown := tables.keys() - _TABLES.keys():
        raise ConfigError(f"{path}: unknown table {min(unknown)!r:.40}; the tables are: {', '.join(_TABLES)}.")
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {name} is to be a table, [{name}].")
    arguments: dict[str, dict[str, object]] = {
        "shape": {"architecture": architecture},
        "training": {"epochs": epochs, "seed": seed, "device": device, "ranked": ranked},
    }
    settings = {
        name: tables.get(name, {}) | {key: value for key, value in given.items() if value is not None}
        for name, given in arguments.items()
    }
    for name, kind in _TABLES.items():
        if unknown := settings[name].keys() - {field.name for field in fields(kind)}:
            raise ConfigError(f"{path}: [{name}] has no setting {min(unknown)!r:.40}.")
    return _build(Shape, settings["shape"], path), _build(TrainingConfig, settings["training"], path)


def _read(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # not UTF-8, or not TOML
        raise ConfigError(f"{path} is not TOML: {error}.") from None
    return tables


def _build(kind: type[_Settings], settings: object, path: Path | None) -> _Settings:
    try:
        # as JSON, where strict means what a person means by it: 1 is a number, "1" is none
        return TypeAdapter(kind).validate_json(json.dumps(settings, default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path or 'The settings'}: {where}: {first['msg']}.") from None
