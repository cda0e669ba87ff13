"""Drop a dozen broken and poisoned files on a pipeline with a champion; each must be refused, and change nothing.

`python -m tests.pipeline.poisoning` prints what became of each.
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from model.data.corpus import Reading, load_corpus
from model.data.snapshots import newest_snapshot
from model.data.splitting import split_corpus
from tests.pipeline.commands import Workplace
from tests.pipeline.names import read_parts, write_csv
from tests.pipeline.poisons import POISONS


def find_test_names(data: Path) -> list[str]:
    """Return the test names of the newest snapshot, as the pipeline splits it."""
    snapshot = newest_snapshot(data)
    assert snapshot
    return list(split_corpus(load_corpus(snapshot / "names", Reading(True, True, "no")), 0).test.names)


def main() -> None:
    """Run the trial; exit with 1 if a drop got through or left something."""
    parts, failures = read_parts(), 0
    with TemporaryDirectory() as folder:
        place = Workplace(Path(folder))
        write_csv(place.drops / "base.csv", parts.base)
        print(place.run().stdout)
        test_names, before = find_test_names(place.data), place.contents()
        for title, poison in POISONS.items():
            path = place.drops / title.replace(" ", "-").replace("%", "").replace(",", "")
            poison.write(path, parts, test_names)
            started = time.perf_counter()
            done = place.run(*(["--replace"] if poison.replaces else []))
            seconds = time.perf_counter() - started
            passed = done.returncode == 3 and poison.words in done.stdout and place.contents() == before
            failures += not passed
            print(f"{'ok  ' if passed else 'FAIL'} {title} ({seconds:.1f} s, exit {done.returncode})")
            print(
                "    " + done.stdout.splitlines()[-2 if done.returncode == 3 else -1], done.stderr if not passed else ""
            )
        write_csv(place.drops / "fresh.csv", parts.fresh)
        done = place.run()
        print(done.stdout, done.stderr if done.returncode else "")
        failures += done.returncode != 0
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
