"""A user's own labels, from files to answers: copy the data, add a label, train, serve."""

import subprocess
import sys
from pathlib import Path

from api.tests.conftest import ROOT, start, stop


def test_a_label_that_is_added_is_served(tmp_path: Path) -> None:
    data, bundle = tmp_path / "names", tmp_path / "bundle"
    data.mkdir()
    for path in sorted((ROOT / "data" / "names").glob("*.txt")):
        lines = path.read_text(encoding="utf-8").splitlines()[:60]  # a few: this is about labels, not accuracy
        (data / path.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    klingon = [f"{a}{b}{c}q{d}" for a in ("Q", "Gh", "Tlh") for b in "aeiou" for c in ("'", "gh") for d in "aei"]
    (data / "Klingon.txt").write_text("\n".join(klingon) + "\n", encoding="utf-8")

    command = [sys.executable, "-m", "model", "training_model", bundle, data, "--epochs", "3"]
    command += ["--store", tmp_path / "store"]
    subprocess.run(command, check=True, capture_output=True)
    server = start(bundle, tmp_path / "log")
    try:
        labels = sorted(path.stem for path in data.glob("*.txt"))
        body = {"name": "Tlho'qe", "n_predictions": len(labels)}
        predictions = server.client.post("/get_prediction", json=body).json()["predictions"]
    finally:
        stop(server)
    assert sorted(predictions) == labels
    assert predictions[0] == "Klingon"
