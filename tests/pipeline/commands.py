"""The pipeline as a person runs it: another process."""

import shutil
import subprocess
import sys
from pathlib import Path

CONFIG = '[shape]\nngram_bits = 12\nhidden_size = 32\n[training]\nepochs = 2\nranked = "no"\n'


class Workplace:
    """A store, a folder of snapshots and a folder of drops."""

    def __init__(self, folder: Path) -> None:
        self.store, self.data, self.drops = (folder / name for name in ("store", "data", "drops"))
        self.drops.mkdir(parents=True, exist_ok=True)
        self._config = folder / "config.toml"
        self._config.write_text(CONFIG)

    def copy(self, folder: Path) -> "Workplace":
        """Return the same in another folder."""
        shutil.copytree(self.store.parent, folder)
        return Workplace(folder)

    @property
    def command(self) -> list[str]:
        """The command line, to which options can be added."""
        folders = {"--store": self.store, "--data": self.data, "--drops": self.drops, "--config": self._config}
        options = [word for option, path in folders.items() for word in (option, str(path))]
        return [sys.executable, "-m", "model", "pipeline", *options]

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the pipeline to its end."""
        return subprocess.run([*self.command, *options], capture_output=True, text=True, check=False, timeout=600)

    def contents(self) -> dict[str, bytes]:
        """Return every file of the store and of the data, without what the runs left and without locks."""
        files = {
            str(path.relative_to(folder.parent)): path.read_bytes()
            for folder in (self.store, self.data)
            for path in folder.rglob("*")
            if path.is_file() and path.name != ".lock"
        }
        return {name: content for name, content in files.items() if not name.startswith("store/runs/")}
