"""Whose address counts behind proxies."""

import asyncio

import pytest

from api.middleware.client_address import TrustedProxies
from api.settings import Settings
from api.tests.stack import Stack

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8:ffff::/48"])


def _address(proxies: TrustedProxies, peer: str, *forwarded: str) -> str:
    return proxies.client_address(peer, [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded])


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.66, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.66, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.9.9.9,10.0.0.2"], "10.9.9.9"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("2001:db8:ffff::1", ["2001:db8:1:2:3::4"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["198.51.100.1:567"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8:1:2::4]:80"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["[2001:db8:1:2::4]"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["198.51.100.66", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1", "10.0.0.3, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, "], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["ÿ\t[, ]:::"], "10.0.0.1"),
        ("10.0.0.1", ["1" * 5000], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, " + ", ".join(["10.0.0.2"] * 500)], "10.0.0.2"),
        ("", ["198.51.100.1"], ""),
        ("no:address", ["198.51.100.1"], "no:address"),
    ],
)
def test_the_address_is_the_first_from_the_right_that_is_not_trusted(
    peer: str, forwarded: list[str], address: str
) -> None:
    assert _address(PROXIES, peer, *forwarded) == address


def test_without_trusted_proxies_the_header_says_nothing() -> None:
    assert _address(TrustedProxies([]), "10.0.0.1", "198.51.100.1") == "10.0.0.1"


def test_any_proxy_lets_the_first_entry_count() -> None:
    assert _address(TrustedProxies(["*"]), "203.0.113.9", "198.51.100.1, 198.51.100.2") == "198.51.100.1"
    assert _address(TrustedProxies(["*"]), "", "198.51.100.1") == "198.51.100.1"


def test_each_client_behind_a_proxy_has_a_quota_and_a_forged_entry_brings_no_other() -> None:
    async def statuses() -> list[int]:
        stack = Stack(Settings(rate_limit="2/minute", trusted_proxies=["10.0.0.0/8"]))
        clients = [f"198.51.100.{number}" for number in range(6)]
        honest = [client for client in clients for _ in range(2)]
        forged = [f"203.0.113.{number}, {client}" for number, client in enumerate(clients)]
        sent = [[(b"x-forwarded-for", value.encode())] for value in honest + forged]
        return [(await stack.get(headers=headers, peer="10.0.0.1")).status_code for headers in sent]

    assert asyncio.run(statuses()) == [200] * 12 + [429] * 6


def test_one_network_of_ipv6_is_one_caller() -> None:
    async def admitted(stack: Stack, peer: str) -> bool:
        return (await stack.get(peer=peer)).status_code == 200

    async def all_admitted() -> list[bool]:
        stack = Stack(Settings(rate_limit="1/hour"))
        peers = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::ffff:192.0.2.1", "192.0.2.1", "", "no:address"]
        return [await admitted(stack, peer) for peer in peers]

    assert asyncio.run(all_admitted()) == [True, False, True, True, False, True, True]
