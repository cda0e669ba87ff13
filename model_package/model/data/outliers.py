"""Make strings that are of no label: random letters, keyboard mashes, and those that the corpus lists."""

from collections.abc import Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np

from model.constants import MAX_NAME_LENGTH
from model.data.splitting import Split
from model.utils import joint_of, main_script, script_of, unmark

_KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_N_HELD_OUT = 15_000  # of which a fifth is held out
_HELD_OUT_SEED = 2**32  # no training has it


def held_out_outliers(split: Split, characters: Sequence[str]) -> dict[str, list[str]]:
    """Return strings that training never saw and that are no names, by kind, some thousand of each."""
    rng = np.random.default_rng(_HELD_OUT_SEED)
    known = _names(split) | (_names(split.given) if split.given else set())
    kinds = {
        "random letters": _only(
            random_strings(letters_of(characters), split.test.names, _N_HELD_OUT, rng), held_out=True
        ),
        "keyboard mashes": _only(keyboard_mashes(split.test.names, _N_HELD_OUT, rng), held_out=True),
        "listed outliers": list(split.outliers[2]),
        "pairs of listed outliers": [_join(*pair) for pair in pairwise(split.outliers[2])],
    }
    return {
        kind: found for kind, strings in kinds.items() if (found := [text for text in strings if text not in known])
    }


def _names(split: Split) -> set[str]:
    return {name for part in (split.train, split.validation, split.test) for name in part.names}


def letters_of(characters: Sequence[str]) -> list[str]:
    """Return those of the characters that are letters, or all but spaces if none is.

    Letters with marks are left out, and the signs of scripts in which any two make a name.
    """
    letters = [c for c in characters if c.isalpha()]
    plain = [c for c in letters if joint_of(script_of(c)) and unmark(c) == c]
    return plain or letters or [c for c in characters if not c.isspace()]


def random_strings(letters: Sequence[str], names: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    """Return n strings of letters of one script drawn alike, each as long as a name in it, if it has any, is."""
    by_script: dict[str, list[str]] = {}
    for letter in letters:
        by_script.setdefault(script_of(letter), []).append(letter)
    scripts = list(by_script)
    drawn = [names[i] for i in rng.integers(len(names), size=n)]
    return [
        "".join(rng.choice(by_script.get(main_script(name), by_script[scripts[0]]), size=len(name))) for name in drawn
    ]


def keyboard_mashes(names: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    """Return n strings, as long as the names are, that fingers leave which wander over a QWERTY keyboard."""
    return [_mash(length, rng) for length in _draw_lengths(names, n, rng)]


def _draw_lengths(names: Sequence[str], n: int, rng: np.random.Generator) -> list[int]:
    return [len(names[i]) for i in rng.integers(len(names), size=n)]


def draw_phrases(listed: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    """Return n strings of one listed outlier or, one in three, of two."""
    first, second = rng.integers(len(listed), size=(2, n))
    phrases = [_join(listed[i], listed[j]) for i, j in zip(first, second, strict=True)]
    return [
        phrase if pair else listed[i] for phrase, i, pair in zip(phrases, first, rng.random(n) < 1 / 3, strict=True)
    ]


def training_outliers(
    letters: Sequence[str], names: Sequence[str], listed: Sequence[str], n: int, rng: np.random.Generator
) -> list[str]:
    """Return some n strings, half of them listed if any are; none is one that `held_out_outliers` may draw."""
    quarter = n // 4
    n_listed = n // 2 if listed else 0
    n_random = n - quarter - n_listed
    # a fifth is held out
    made = random_strings(letters, names, 5 * n_random // 4, rng) + keyboard_mashes(names, 5 * quarter // 4, rng)
    return _only(made, held_out=False) + (draw_phrases(listed, n_listed, rng) if listed else [])


def _only(strings: Sequence[str], *, held_out: bool) -> list[str]:
    """Return the strings that belong to the held-out fifth of all that there are, or the others."""
    return [text for text in strings if (crc32(text.encode()) % 5 == 0) == held_out]


def _join(first: str, second: str) -> str:
    return f"{first} {second}"[:MAX_NAME_LENGTH].rstrip()


def _mash(length: int, rng: np.random.Generator) -> str:
    if rng.random() < 0.3:  # along a row, either way, again if it ends
        row = _KEYBOARD_ROWS[rng.integers(len(_KEYBOARD_ROWS))][:: 1 if rng.random() < 0.7 else -1]
        start = int(rng.integers(len(row)))
        return (row[start:] + row * MAX_NAME_LENGTH)[:length]
    row_id = int(rng.integers(len(_KEYBOARD_ROWS)))
    column, typed = int(rng.integers(len(_KEYBOARD_ROWS[row_id]))), ""
    for step, turn in zip(
        rng.choice([-2, -1, 1, 2], size=length), rng.choice([0, 0, 0, -1, 1], size=length), strict=True
    ):
        typed += _KEYBOARD_ROWS[row_id][column]
        row_id = min(max(row_id + int(turn), 0), len(_KEYBOARD_ROWS) - 1)
        column = min(max(column + int(step), 0), len(_KEYBOARD_ROWS[row_id]) - 1)
    return typed
