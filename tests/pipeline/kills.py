"""Kill the pipeline with -9 at random moments and run it again: the end must be that of a run that nobody killed.

`python -m tests.pipeline.kills --kills 24` prints where each kill struck and exits with 1 if an end differs.
"""

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from model.pipeline.runs import VERBS
from tests.pipeline.commands import Workplace
from tests.pipeline.names import read_parts, write_csv

_SNAPSHOT = re.compile(r"\d{8}T\d{12}Z-(?=[0-9a-f]{12})")
_LONGEST_SECONDS = {"ingest": 3.0, "validate": 0.2, "train": 6.0, "evaluate": 0.1, "gate": 0.3, "promote": 0.03}
"""About as long as each verb takes, the start of Python before the first included."""
_RUN = re.compile(r"\d{8}T\d{6}Z(-\d+)?")


def end_state(place: Workplace) -> dict[str, Any]:
    """Return what a run leaves, but for times and for the names that hold them."""
    entries = [json.loads(line) for line in (place.store / "ledger.jsonl").read_text().splitlines()]
    results = [json.loads(path.read_text()) for path in sorted(place.store.glob("runs/*/*.json"))]
    return {
        "champion": (place.store / "current").read_text().strip(),
        "ledger": [
            [entry["event"], entry["version"], entry["previous"], [c["name"] for c in entry["gate"]]]
            for entry in entries
        ],
        "results": sorted((result["verb"], result["status"]) for result in results),
        "files": sorted(_RUN.sub("RUN", _SNAPSHOT.sub("SNAPSHOT-", name)) for name in _list_files(place)),
        "names": {
            path.name: path.read_text()
            for path in sorted(place.data.glob("*/names/*.txt"), key=lambda path: path.parts)
        },
    }


def _list_files(place: Workplace) -> list[str]:
    folder = place.store.parent
    return [str(path.relative_to(folder)) for part in (place.store, place.data) for path in part.rglob("*")]


def kill_in(place: Workplace, verb: str, seconds: float) -> str:
    """Start the pipeline, kill it so long after a verb began, and return which verb it was at by then."""
    process = subprocess.Popen(place.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and VERBS.index(verb) > VERBS.index(_next_verb(place)):
        time.sleep(0.001)
    time.sleep(seconds)
    process.kill()
    process.wait()
    return _next_verb(place)


def _next_verb(place: Workplace) -> str:
    """Return the verb that the second run is at; the first is that of the champion."""
    runs = sorted(path for path in (place.store / "runs").iterdir() if path.is_dir())
    if len(runs) < 2:
        return VERBS[0]
    return next((verb for verb in VERBS if not (runs[-1] / f"{verb}.json").exists()), VERBS[-1])


def main() -> None:
    """Run the trial."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    parts, rng, struck = read_parts(), random.Random(arguments.seed), Counter[str]()
    with TemporaryDirectory() as folder:
        origin = Workplace(Path(folder) / "origin")
        write_csv(origin.drops / "base.csv", parts.base)
        assert origin.run().returncode == 0
        write_csv(origin.drops / "fresh.csv", parts.fresh)
        unkilled = origin.copy(Path(folder) / "unkilled")
        started = time.perf_counter()
        assert unkilled.run().returncode == 0
        seconds, expected, differing = time.perf_counter() - started, end_state(unkilled), 0
        print(f"unkilled: {seconds:.1f} s, champion {expected['champion']}")
        for number in range(arguments.kills):
            place = origin.copy(Path(folder) / "killed")
            verb = VERBS[number % len(VERBS)]
            at = rng.uniform(0, _LONGEST_SECONDS[verb])
            struck_verb = kill_in(place, verb, at)
            done = place.run()
            found = end_state(place)
            differences = [key for key, value in expected.items() if found[key] != value]
            differing += bool(differences) or done.returncode != 0
            struck[struck_verb] += 1
            end = "differs:" if differences else "same end"
            print(f"kill {number}: {at:.3f} s after {verb} began, at {struck_verb}; {end}", *differences)
            if differences:
                print(json.dumps({key: [expected[key], found[key]] for key in differences if key != "names"}))
            shutil.rmtree(Path(folder) / "killed")
        print(f"{arguments.kills} kills, {differing} ends that differ; struck: {dict(struck)}")
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
