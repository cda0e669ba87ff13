"""What the service costs beside a stock FastAPI route that does nothing, and beside its peers.

Run `make bench` or `make bench-peers`. Servers take turns on one core, the client has another. A figure is the CPU time
of a server, children included, per request with a name it has not seen; a ratio is to the constant route of that round.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import report
from load import CONNECTIONS, require_wrk
from peers import FRAMEWORKS, NAIVE, install, read_versions
from rounds import measure
from servers import BUILD, CONSTANT, PRODUCTION, ROOT, SERVICE, Server

from model.prediction import Predictor


def run(servers: Sequence[Server], rounds: int, seconds: int, connections: Sequence[int]) -> list[report.Round]:
    """Let the servers take turns; a peer that fails is left out from then on."""
    predictor = Predictor.load(ROOT / "artifacts")
    found: list[report.Round] = []
    taking_part = list(servers)
    for number in range(1, rounds + 1):
        found.append({})
        for server in tuple(taking_part):
            print(f"round {number} of {rounds}: {server.name}", flush=True)
            try:
                found[-1][server.name] = measure(server, predictor, seconds, connections)
            except RuntimeError as reason:
                if server in (CONSTANT, SERVICE):
                    raise
                print(f"{server.name} is skipped: {reason}")
                taking_part.remove(server)
    return found


def install_peers() -> list[Server]:
    """Return the peers that can be run here; say why of those that cannot."""
    peers = [NAIVE]
    for peer in FRAMEWORKS:
        try:
            install(peer)
        except RuntimeError as reason:
            print(f"{peer.name} is skipped: {reason}")
        else:
            peers.append(peer)
    return peers


def main() -> None:
    """Measure, print a table, write JSON and draw if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", action="store_true", help="measure the peers too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of load on each route and round")
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    parser.add_argument("--plot", type=Path, help="draw the last run with peers, or else this one, into this PNG")
    arguments = parser.parse_args()
    require_wrk()
    peers = install_peers() if arguments.peers else []
    rounds = run((CONSTANT, SERVICE, *peers), arguments.rounds, arguments.seconds, arguments.connections)
    how = {"rounds": arguments.rounds, "seconds": arguments.seconds, "connections": arguments.connections}
    how |= {"settings": PRODUCTION, "peers": read_versions(peers)}
    report.write(BUILD / ("peers.json" if arguments.peers else "serving.json"), rounds, how)
    report.print_table(report.summarise(rounds))
    if arguments.plot:
        from chart import draw

        draw(BUILD, arguments.plot)


if __name__ == "__main__":
    main()
