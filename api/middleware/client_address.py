"""Which address a request came from, behind proxies that are trusted."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from api.settings import ANY_PROXY

Address = IPv4Address | IPv6Address
Headers = Sequence[tuple[bytes, bytes]]

_MAX_HOPS = 32
_MAX_ENTRY_BYTES = 64
_CACHED = 10_000


class TrustedProxies:
    """The networks of proxies that may say for whom they speak."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._any = ANY_PROXY in networks
        self._networks = [ip_network(text) for text in networks if text != ANY_PROXY]

    def client_address(self, peer: str, headers: Headers) -> str:
        """Return the address that a client is counted by; `peer` is the other end of the connection.

        Walks X-Forwarded-For from the right and stops at the first address that is not trusted, or cannot be read:
        what stands further left is the client's own invention. IPv6 is counted by its /64, of which a client has all.
        """
        if not self._any and not self._networks:
            return counted_address(peer)
        address = parse_address(peer)
        if not self._trusts(address):
            return counted_address(peer)
        for entry in _entries_from_the_right(headers):
            hop = parse_address(entry)
            if hop is None:
                break
            address = hop
            if not self._trusts(hop):
                break
        return counted_address(str(address)) if address else peer

    def _trusts(self, address: Address | None) -> bool:
        return self._any or (address is not None and any(address in network for network in self._networks))


def _entries_from_the_right(headers: Headers) -> list[str]:
    joined = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    entries = joined.rsplit(b",", _MAX_HOPS)[-_MAX_HOPS:] if joined else []
    return [entry.decode("latin-1") if len(entry) <= _MAX_ENTRY_BYTES else "" for entry in reversed(entries)]


@lru_cache(_CACHED)
def parse_address(text: str) -> Address | None:
    """Read an address as proxies write it, with or without a port, or return None."""
    text = text.strip(" \t")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return _as_ipv4(address)


def _as_ipv4(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 socket writes as ::ffff:192.0.2.1."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


@lru_cache(_CACHED)
def counted_address(client: str) -> str:
    """Return what an address is counted by: itself, or its /64 network of IPv6; what is no address stays as it is."""
    address = parse_address(client)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), 64), strict=False))
    return str(address) if address else client
