"""What the pages may load and run; tests/pages opens them in a browser."""

import re

import httpx
import pytest


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_names_no_other_host_and_no_place_of_its_own(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    (policy,) = answer.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; ")
    for text in (answer.text, policy):
        assert "//" not in re.sub(r" // .*", "", text)
        assert "unsafe" not in text
    addresses = re.findall(r'(?:href|src)="([^"]+)"', answer.text)
    assert addresses
    assert not [address for address in addresses if address.startswith("/")]  # a prefix would be lost
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(answer.content) < 8192


def test_what_the_documentation_loads_is_kept_for_good_under_an_address_of_its_version(client: httpx.Client) -> None:
    addresses = re.findall(r'(?:href|src)="(docs/[^"]+)"', client.get("/docs").text)
    assert len(addresses) == 2
    for address in addresses:
        assert re.search(r"\?\d+\.\d+", address)
        answer = client.get(f"/{address}")
        assert answer.headers.get_list("cache-control") == ["public, max-age=31536000, immutable"]
        assert len(answer.content) > 100_000
    assert client.get("/docs/redoc.standalone.js").status_code == 404


def test_the_documents_server_is_where_it_lies(client: httpx.Client) -> None:
    (server,) = client.get("/openapi.json").json()["servers"]
    assert httpx.URL("http://host/prefix/openapi.json").join(server["url"]) == "http://host/prefix/"
