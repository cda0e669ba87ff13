"""The pages that a browser opens: a form that tries a name, and the OpenAPI document shown by Swagger UI."""

import hashlib
import re
from base64 import b64encode
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse

from api.routes.traits import traits

_READ = ["GET", "HEAD"]
_SWAGGER_UI = "fastapi_offline"
"""The package that brings Swagger UI's files; nothing else of it is used."""


def page_router(*, docs_enabled: bool) -> APIRouter:
    """Return the route of the form; it links to the documentation if there is one."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=_READ)
    @traits(open=True)
    async def page() -> HTMLResponse:
        return _html_response(_form(docs_enabled=docs_enabled))

    return router


docs_router = APIRouter(include_in_schema=False)


@docs_router.api_route("/openapi.json", methods=_READ)
@traits(open=True)
async def openapi(request: Request) -> dict[str, Any]:
    """Return the OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return document


@docs_router.api_route("/docs", methods=_READ)
@traits(open=True)
async def docs() -> HTMLResponse:
    """Return the page that shows the OpenAPI document."""
    return _html_response(_documentation())


@docs_router.api_route("/docs/swagger-ui.css", methods=_READ)
@docs_router.api_route("/docs/swagger-ui-bundle.js", methods=_READ)
@traits(open=True)
async def swagger_ui(request: Request) -> FileResponse:
    """Return a file of Swagger UI; its address changes with its version, so it can be kept for good."""
    name = request.url.path.rpartition("/")[2]
    path = Path(str(files(_SWAGGER_UI))) / "static" / name
    return FileResponse(path, headers={"Cache-Control": "public, max-age=31536000, immutable"})


@cache
def _form(*, docs_enabled: bool) -> str:
    """Return the page of the form, without its link to the documentation if there is none."""
    html = _read("index.html")
    return html if docs_enabled else re.sub(r"<!--docs-->.*?<!--/docs-->", "", html, flags=re.DOTALL)


@cache
def _documentation() -> str:
    return _read("docs.html").replace("SWAGGER_UI_VERSION", version(_SWAGGER_UI))


def _read(name: str) -> str:
    return (files("api") / "static" / name).read_text(encoding="utf-8")


def _html_response(html: str) -> HTMLResponse:
    return HTMLResponse(html, headers={"Content-Security-Policy": _policy(html)})


@cache
def _policy(html: str) -> str:
    """Return a policy that lets a page run what it holds and load what its origin serves."""
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        f"connect-src 'self'; img-src 'self' data:; script-src 'self'{_hashes('script', html)}; "
        f"style-src 'self'{_hashes('style', html)}"
    )


def _hashes(tag: str, html: str) -> str:
    """Return the sources that allow the page's inline elements of a kind."""
    texts = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digests = (b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return "".join(f" 'sha256-{digest}'" for digest in digests)
