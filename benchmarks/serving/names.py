"""Names that no server has seen: training names with seeded edits, each once."""

import random
from pathlib import Path

from model.data.dataset import load_dataset
from model.errors import InvalidNameError
from model.utils import clean, fold

DATA = Path(__file__).parents[2] / "data" / "names"
FILE = Path(__file__).parents[2] / "build" / "benchmarks" / "names.txt"
COUNT = 500_000
SHORTEST = 3


def read_names() -> list[str]:
    """Return distinct names, none of which folds to a training name; the first call on a machine makes them."""
    if not FILE.exists():
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text("\n".join(_invent()), encoding="utf-8")
    return FILE.read_text(encoding="utf-8").split("\n")


def _invent() -> list[str]:
    """Join the head of one name to the tail of another and change a letter: as long as names are, spelled like them."""
    rng = random.Random(0)  # noqa: S311 - the same names in every run
    known = [clean(name) for name in load_dataset(DATA).names]
    seen = {fold(name) for name in known}
    names: list[str] = []
    while len(names) < COUNT:
        first, second, third = rng.choices(known, k=3)
        name = first[: len(first) // 2] + second[len(second) // 2 :]
        place = rng.randrange(len(name))
        name = name[:place] + rng.choice(third) + name[place + 1 :]
        try:
            folded = fold(name)
        except InvalidNameError:
            continue
        if len(folded) >= SHORTEST and folded not in seen:
            seen.add(folded)
            names.append(clean(name))
    return names
