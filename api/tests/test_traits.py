from fastapi import APIRouter

from api.main import routers
from api.routes.traits import ORDINARY, RouteTraits, traits, traits_of
from api.settings import Settings


def test_traits_are_found_by_template() -> None:
    router = APIRouter(prefix="/v9")

    @router.head("/quick")
    @router.get("/quick")
    @traits(open=True, probe=True)
    async def quick() -> None: ...

    @router.get("/{name}/slow")
    async def slow(name: str) -> None: ...

    assert traits_of([router]) == {"/v9/quick": RouteTraits(open=True, probe=True), "/v9/{name}/slow": ORDINARY}


def test_open_probe_quiet_and_stream_routes() -> None:
    found = traits_of(routers(Settings()))
    probing = {"/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/metrics"}
    assert {path for path, route in found.items() if route.open} == {
        *probing,
        "/",
        "/check_service",
        "/docs",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
        "/openapi.json",
    }
    assert {path for path, route in found.items() if route.probe} == probing
    assert {path for path, route in found.items() if route.quiet} == probing
    assert {path for path, route in found.items() if route.stream} == {"/v1/predict/stream", "/v1/predict/file"}
