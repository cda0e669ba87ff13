"""Whether what a label got are names: varied, without a mark that they share, and not strange to the champion."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from model.pipeline.drift.change import Change
from model.pipeline.drift.findings import Finding
from model.pipeline.drift.incumbent import Incumbent

_MIN_NAMES = 20
_SAMPLE = 500
_MIN_VARIETY = 0.35  # of that of other names; the alphabetical end of a list had 0.47
_MARKS = ((5, 0.15), (9, 0.02))
"""Letters in a row, and of what share of a label's new names they are a mark."""
_MIN_MARKED = 10
_MARK_EXCESS = 10  # times as frequent as before; on splits of real lists it was 5
_MAX_UNFAMILIAR = 0.30  # more than of the label's earlier names
_MAX_OWN_LABEL = 0.05


def check_spam(change: Change, incumbent: Incumbent | None) -> Iterator[Finding]:
    """Find labels whose new names are variants of one string, hold a mark or the label, or look like no names."""
    rng = random.Random(0)  # noqa: S311 - a sample, no secret
    for label, names in change.added.items():
        earlier = list(change.before.get(label, ()))
        checks = (
            _check_own_label(label, names),
            _check_variety(label, _draw(names, rng), _draw(_comparable(change, earlier), rng)),
            _check_marks(label, names, earlier),
            _check_familiarity(label, names, earlier, incumbent),
        )
        # one sentence a label: the checks see the same spam from several sides
        if found := next(filter(None, checks), None):
            yield found


def _comparable(change: Change, earlier: Sequence[str]) -> Sequence[str]:
    """Return the earlier names of a label or, if there are few, those of all."""
    if len(earlier) >= _MIN_NAMES:
        return earlier
    return [name for names in change.before.values() for name in names]


def _draw(names: Sequence[str], rng: random.Random) -> list[str]:
    return rng.sample(names, min(_SAMPLE, len(names)))


def _check_variety(label: str, names: list[str], others: list[str]) -> Finding | None:
    n = min(len(names), len(others))
    if n < _MIN_NAMES:
        return None
    variety = _variety(names[:n]) / _variety(others[:n])
    if variety >= _MIN_VARIETY:
        return None
    return Finding(
        "spam",
        f"The new names of {label} repeat each other: their triples of letters are {variety:.0%} as varied as in other "
        "names. Leave out what was made by a program.",
    )


def _variety(names: Sequence[str]) -> float:
    """Return how many of all triples of letters are different ones."""
    triples = [f"<{name}>"[i : i + 3] for name in names for i in range(len(name))]
    return len(set(triples)) / len(triples)


def _check_marks(label: str, names: Sequence[str], earlier: Sequence[str]) -> Finding | None:
    """Find letters in a row that many of the names share and hardly any earlier one has."""
    if len(earlier) < _MIN_NAMES:
        return None
    for length, share in _MARKS:
        if marked := _count_marked(names, earlier, length, share):
            return Finding(
                "spam",
                f"{marked} of the {len(names)} new names of {label} share {length} letters in a row that hardly any "
                "earlier one has: a mark, or variants of one string. Take it out, or leave them out.",
            )
    return None


def _count_marked(names: Sequence[str], earlier: Sequence[str], length: int, share: float) -> int:
    """Return how many names hold the most frequent piece of a length that is a mark; 0 if none is."""
    before = _count_pieces(earlier, length)
    return max(
        (
            n
            for piece, n in _count_pieces(names, length).items()
            if n >= max(_MIN_MARKED, share * len(names))
            and n * len(earlier) > _MARK_EXCESS * (before[piece] + 1) * len(names)
        ),
        default=0,
    )


def _count_pieces(names: Sequence[str], length: int) -> Counter[str]:
    return Counter(piece for name in names for piece in {name[i : i + length] for i in range(len(name) - length + 1)})


def _check_own_label(label: str, names: Sequence[str]) -> Finding | None:
    word = label.casefold()
    n = sum(word in name.split() for name in names)
    if n < _MIN_MARKED or n <= _MAX_OWN_LABEL * len(names):
        return None
    return Finding(
        "label in names",
        f"{n} of the {len(names)} new names of {label} hold the label itself, which no name to classify will. "
        "Take it out of them.",
    )


def _check_familiarity(
    label: str, names: Sequence[str], earlier: Sequence[str], incumbent: Incumbent | None
) -> Finding | None:
    if incumbent is None or label not in incumbent.label_ids or min(len(names), len(earlier)) < _MIN_NAMES:
        return None
    share, usual = (incumbent.share_unfamiliar(some[:: max(1, len(some) // _SAMPLE)]) for some in (names, earlier))
    if share <= usual + _MAX_UNFAMILIAR:
        return None
    return Finding(
        "no names",
        f"{share:.0%} of the new names of {label} look like no names to the champion, of its earlier ones {usual:.0%}. "
        "Leave out what is none.",
    )
