"""Ask the service for predictions at a steady pace until SIGTERM, then print what happened as JSON.

Runs inside the cluster on the image's own Python: `python -c "$(cat trickle.py)" URL`. Each request has a
connection of its own, so that every one is routed anew, as by clients that come and go.
"""

import json
import signal
import sys
import time
import urllib.request
from http.client import HTTPException

PAUSE_SECONDS = 0.03
LIMIT_SECONDS = 240  # ends by itself if nobody stops it


def main(url: str) -> int:
    """Send until told to stop; 1 if any request failed."""
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    body = json.dumps({"name": "Jordan", "n_predictions": 2}).encode()
    sent, slowest, failures = 0, 0.0, []
    started = time.time()
    while not stopped and time.time() < started + LIMIT_SECONDS:
        before = time.time()
        sent += 1
        try:
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=5) as response:
                assert len(json.load(response)["predictions"]) == 2
        except (OSError, HTTPException, ValueError, KeyError, AssertionError) as error:
            failures.append(f"{before - started:.2f} s: {error!r}")
            print("failed", failures[-1], flush=True)
        slowest = max(slowest, time.time() - before)
        time.sleep(PAUSE_SECONDS)
    seconds = time.time() - started
    summary = {"sent": sent, "failed": len(failures), "seconds": seconds, "slowest": slowest}
    print(json.dumps(summary), flush=True)
    return 1 if failures else 0


sys.exit(main(sys.argv[1]))
