"""The pages that a browser opens, and the OpenAPI document that /docs shows."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from api.routes.traits import traits

OPENAPI_PATH = "/openapi.json"
DOCS_PATH = "/docs"

docs_router = APIRouter(include_in_schema=False)


@docs_router.head(OPENAPI_PATH)
@docs_router.get(OPENAPI_PATH)
@traits(open=True)
async def openapi(request: Request) -> dict[str, Any]:
    """Return the OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return document


@docs_router.head(DOCS_PATH)
@docs_router.get(DOCS_PATH)
@traits(open=True)
async def docs(request: Request) -> HTMLResponse:
    """Return the page that shows the OpenAPI document."""
    return get_swagger_ui_html(openapi_url=OPENAPI_PATH, title=request.app.title)
