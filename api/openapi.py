"""The OpenAPI document: what FastAPI finds, and what it cannot know."""

from collections.abc import Collection
from functools import cache
from typing import Any

from fastapi import FastAPI

from api.schemas.inference import InferRequest
from api.schemas.problem import Problem

_SERVERS = [{"url": ".", "description": "this service"}]
"""Where the document lies, behind a path prefix too."""
_HAND_READ = (Problem, InferRequest)
"""Bodies that FastAPI neither parses nor sends, and so does not describe."""


def install(app: FastAPI, *, open_paths: Collection[str], key_needed: bool) -> None:
    """Make `app.openapi` return the whole document."""
    build = app.openapi

    @cache
    def openapi() -> dict[str, Any]:
        document = build()
        document["servers"] = _SERVERS
        _add_schemas(document)
        _add_security(document, open_paths, key_needed=key_needed)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _add_schemas(document: dict[str, Any]) -> None:
    for body in _HAND_READ:
        schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= schema.pop("$defs") | {body.__name__: schema}


def _add_security(document: dict[str, Any], open_paths: Collection[str], *, key_needed: bool) -> None:
    """Say how a key is sent, and where none is needed."""
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    without: list[dict[str, list[str]]] = [] if key_needed else [{}]
    document["security"] = [*without, {"bearer": []}, {"apiKey": []}]
    for path in document["paths"].keys() & open_paths:
        for operation in document["paths"][path].values():
            operation["security"] = []
