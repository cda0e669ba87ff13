"""Drop a file of fresh names beside a running service, and wait until it answers with the version trained on them.

`python -m tests.pipeline.live` prints how long that took; nobody touches anything in between.
"""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.attack.service import Service, serving
from tests.pipeline.commands import Workplace
from tests.pipeline.names import read_parts, write_csv

_LONGEST_SECONDS = 300


def answering_version(service: Service) -> str:
    """Return the version that answers a name."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}/v1/predict",
        data=json.dumps({"names": ["Kowalska"]}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        version: str = json.load(answer)["model_version"]
    return version


def main() -> None:
    """Run the trial; exit with 1 if the version does not change."""
    parts = read_parts()
    with TemporaryDirectory() as folder:
        place = Workplace(Path(folder) / "place")
        write_csv(place.drops / "base.csv", parts.base)
        assert place.run().returncode == 0
        settings = {"BUNDLE_DIR": str(place.store)}
        with serving(Path(folder) / "service.log", settings) as service:
            watching = subprocess.Popen([*place.command, "--watch", "1"], stdout=subprocess.PIPE, text=True)
            try:
                before = answering_version(service)
                write_csv(Path(folder) / "fresh.csv", parts.fresh)
                started = time.perf_counter()
                shutil.move(Path(folder) / "fresh.csv", place.drops / "fresh.csv")
                while (version := answering_version(service)) == before:
                    if time.perf_counter() - started > _LONGEST_SECONDS:
                        sys.exit(f"still {before}")
                    time.sleep(0.05)
                elapsed = time.perf_counter() - started
            finally:
                watching.terminate()
                output = watching.communicate()[0]
            print(output)
            print(
                f"{before} answered, and {version} {elapsed:.1f} s after the drop; --watch exit {watching.returncode}"
            )


if __name__ == "__main__":
    main()
