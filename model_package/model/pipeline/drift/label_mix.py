"""Whether labels came, went, or grew as their likes did."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from model.constants import MIN_NAMES_PER_LABEL
from model.pipeline.drift.change import Change, Names
from model.pipeline.drift.findings import Finding

_MAX_GROWTH = 1.5  # of a label, beside how all others grew
_MIN_NAMES = 100
_MAX_SHIFT = 0.10  # total variation between two mixes
_MAX_LISTED = 5


def check_labels(change: Change) -> Iterator[Finding]:
    """Find labels that went, that have too few names, or that are another one but for case."""
    counts = {label: len(names) for label, names in change.after.items()}
    if gone := sorted(change.before.keys() - counts.keys()):
        lost = sum(len(change.before[label]) for label in gone)
        yield Finding(
            "label gone",
            f"{len(gone)} label(s) are gone with {lost} names: {_list(gone)}. Put them back.",
        )
    if small := sorted(label for label, n in counts.items() if n < MIN_NAMES_PER_LABEL):
        described = [f"{label} has {counts[label]}{_suggest(label, change.before)}" for label in small]
        yield Finding(
            "label too small",
            f"{len(small)} label(s) have fewer than {MIN_NAMES_PER_LABEL} names: {_list(described)}. "
            "Bring more names of them, or mend the label.",
        )
    known = {label.casefold(): label for label in change.before}
    for label in sorted(counts.keys() - change.before.keys()):
        if twin := known.get(label.casefold()):
            yield Finding(
                "label misspelled", f"The new label {label} is {twin} but for case ({counts[label]} names). Mend it."
            )


def check_mix(counts: Mapping[str, int], before: Mapping[str, int], what: str) -> Iterator[Finding]:
    """Find labels that grew or shrank out of proportion, else a mix that shifted as a whole, over what both have.

    `counts` and `before` are numbers of names; `what` says whose the latter are.
    """
    labels = sorted(counts.keys() & {label for label, n in before.items() if n})
    if len(labels) < 2:
        return
    now, then = (sum(mix[label] for label in labels) for mix in (counts, before))
    odd = []
    for label in labels:
        others = (now - counts[label]) / max(1, then - before[label])
        growth = counts[label] / before[label] / max(others, 1e-9)
        if max(counts[label], before[label]) >= _MIN_NAMES and not 1 / _MAX_GROWTH <= growth <= _MAX_GROWTH:
            odd.append((growth, label))
    for growth, label in sorted(odd, reverse=True)[:_MAX_LISTED]:
        verb = "flooded" if growth > 1 else "drained"
        yield Finding(
            f"label {verb}",
            f"{label} has {counts[label]} names where {what} {before[label]}, {growth:.1f} times what the growth of "
            f"the other labels would make of them. Bring names of all labels alike, or look at what came for {label}.",
        )
    shift = sum(abs(counts[label] / now - before[label] / then) for label in labels) / 2
    if not odd and shift > _MAX_SHIFT:
        yield Finding(
            "label mix",
            f"{shift:.0%} of the names would have to change labels for the mix to be as {what} it; at most "
            f"{_MAX_SHIFT:.0%} is usual. Bring names of all labels alike.",
        )


def check_new_labels(change: Change) -> Iterator[Finding]:
    """Find new labels that would be larger than all that were there."""
    largest = max(map(len, change.before.values()), default=0)
    for label in sorted(change.after.keys() - change.before.keys()):
        n = len(change.after[label])
        if largest and n > 2 * largest:
            yield Finding(
                "label flooded",
                f"The new label {label} has {n} names, where the largest had {largest}. Bring fewer of them.",
            )


def _suggest(label: str, known: Names) -> str:
    close = get_close_matches(label, known.keys() - {label}, n=1)
    return f" (is it {close[0]}?)" if close and label not in known else ""


def _list(items: list[str]) -> str:
    return ", ".join(items[:_MAX_LISTED]) + (f" and {len(items) - _MAX_LISTED} more" if items[_MAX_LISTED:] else "")
