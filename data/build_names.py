"""Build the names, their ledger and report from the pinned packages and the cores, then `outliers/` and `variants/`.

Run `python data/build_names.py [--out DIR]` in an environment of `requirements.txt`; `node` and `npm` must be on the
path. The output is the same, byte for byte, on every run; `README.md` says what a label means. With `--outliers`, the
names stay as they are.
"""

import argparse
import gzip
import re
from collections import Counter
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from cleaning import Entry, Lists, Removal, drop_doubtful, resolve_by_cores, resolve_by_spelling, why_no_name
from native import add_native
from no_names import KINDS as NO_NAMES
from readers import read
from report import render
from romanise import fold, n_marks, plain, romanise, tidy
from sources import CORE, LABELS, Kind, Source, is_common, is_core, sources_of
from threadpoolctl import threadpool_limits
from variants import write_variants
from words import KnownNames, collect_words, everyday_words, is_mere_word, read_everyday

HERE = Path(__file__).parent
ALPHABET_SHOWS = 100  # names that tell whether a list is in alphabetical order
CORE_HEAD = 12
CAP = 3000  # most names a label may have: more would only shift the prior
KINDS: tuple[Kind, ...] = ("surnames", "given_names")
STEPS = (resolve_by_cores, resolve_by_spelling, drop_doubtful)
FOLDERS = {"surnames": "names", "given_names": "given_names"}


def collect(kind: Kind) -> tuple[Lists, list[Removal]]:
    """Return every entry that is a name, by label, most common first, and what was none."""
    lists: Lists = {}
    removals: list[Removal] = []
    for label in sorted(LABELS):
        lists[label] = {}
        # the core leads, then lists that rank their names; the rest follows by the alphabet
        for source in sorted(sources_of(label, kind), key=lambda source: (not is_core(source), not source.ranked)):
            for name in _names_of(source, label, kind):
                if reason := _why_out(name, source, label, kind):
                    removals.append(Removal(name, label, "", reason, (source.package,)))
                    continue
                entry = lists[label].setdefault(fold(name), Entry(name, is_core(source), is_common(source)))
                if not entry.is_common and n_marks(name) > n_marks(entry.spelling):
                    entry.spelling = name  # some registers write no marks
                if source.package not in entry.packages:
                    entry.packages.append(source.package)
    return lists, removals


def _why_out(name: str, source: Source, label: str, kind: Kind) -> str:
    if is_common(source):
        return ""
    is_word = source.package != CORE and is_mere_word(name, kind)
    return why_no_name(name, label, kind) or ("no name: a common word" if is_word else "")


def _names_of(source: Source, label: str, kind: Kind) -> list[str]:
    raw = read(source, label, kind)
    if is_common(source):
        return raw
    names = [tidy(spelling) for name in raw for spelling in romanise(name.strip(), label)]
    names = [name for name in names if name and re.search(source.keep if kind == "surnames" else "", name)]
    return names[: source.top] if source.ranked else sorted(names)


def cap(lists: Lists) -> None:
    """Thin out what is over the cap evenly along the alphabet; a core stays whole."""
    for entries in lists.values():
        spare = [key for key, entry in entries.items() if not entry.is_common]
        room = CAP - (len(entries) - len(spare))
        kept = set(spare if len(spare) <= room else (spare[i * len(spare) // room] for i in range(room)))
        for key in spare:
            if key not in kept:
                del entries[key]


def build(kind: Kind, n_steps: int = len(STEPS)) -> tuple[Lists, list[Removal]]:
    """Collect, clean by the first `n_steps` and cap one kind of name."""
    lists, removals = collect(kind)
    for step in STEPS[:n_steps]:
        removals += step(lists)
    cap(lists)
    finish(kind, lists, removals)
    return lists, removals


def finish(kind: Kind, lists: Lists, removals: list[Removal]) -> None:
    """Put lists that were cleaned in their order, and add the names in other scripts."""
    mix_cores(lists)
    add_native(kind, lists, removals)


def mix_cores(lists: Lists) -> None:
    """Take cores that follow the alphabet out of it: all of a core is common, and training goes by the order.

    The first names of these are the most common ones nevertheless, and stay where they are.
    """
    for label, entries in lists.items():
        first = list(entries)[:ALPHABET_SHOWS]
        if sum(a > b for a, b in pairwise(first)) < len(first) / 5:
            core = [key for key, entry in entries.items() if entry.in_core]
            tail = sorted(core[CORE_HEAD:], key=lambda key: sha256(key.encode()).digest())
            order = [*core[:CORE_HEAD], *tail, *(key for key in entries if not entries[key].in_core)]
            lists[label] = {key: entries[key] for key in order}


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def write_lists(folder: Path, lists: Lists) -> None:
    """Write one file a label, and take away those of labels that are no longer built."""
    for label, entries in lists.items():
        text = "".join(f"{entry.spelling}\n" for entry in entries.values())
        write(folder / f"{label}.txt", text.encode())
    for stale in {path.stem for path in folder.glob("*.txt")} - lists.keys():
        (folder / f"{stale}.txt").unlink()


def write_outliers(out: Path) -> None:
    """Write strings that are no names: words but for those that are names here or to everyone, and other kinds."""
    lists = [path.read_text(encoding="utf-8") for folder in FOLDERS.values() for path in (out / folder).glob("*.txt")]
    known = {name for text in lists for name in text.splitlines()} | set(read_everyday(HERE / "everyday.tsv"))
    names = KnownNames(known)
    strings = {
        **{path.stem: _without(names, path) for path in (HERE / "outliers").glob("*.txt")},  # those by hand
        **{language.lower(): words for language, words in collect_words(names).items()},
        **{kind: make() for kind, make in NO_NAMES.items()},
    }
    # İnce is small as ince, and İnç without its marks as inc
    dotted = {text for name in known if "İ" in name for text in (plain(name).replace("i\u0307", "i"), fold(name))}
    for kind, lines in strings.items():
        write(out / "outliers" / f"{kind}.txt", "".join(f"{line}\n" for line in lines if line not in dotted).encode())


def _without(names: KnownNames, path: Path) -> list[str]:
    """Return the lines of a file that are no names, or hardly ones."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not names.has(line, everyday=plain(line) in everyday_words())]


def table(header: str, rows: list[str]) -> bytes:
    """Return gzipped tab-separated lines, the same bytes for the same lines."""
    return gzip.compress("".join(f"{row}\n" for row in [header, *rows]).encode(), mtime=0)


def main() -> None:
    """Build both kinds and write everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--outliers", action="store_true", help="build only what follows from the names that are there")
    parser.add_argument("--steps", type=int, default=len(STEPS), help="cleaning steps to take, to see what each buys")
    arguments = parser.parse_args()
    out: Path = arguments.out
    if not arguments.outliers:
        build_names(out, arguments.steps)
    write_outliers(out)
    write_variants(out)


def build_names(out: Path, n_steps: int) -> None:
    """Build both kinds of name, and write them, their ledger and the report."""
    ledger: list[str] = []
    origins: list[str] = []
    reports: list[str] = []
    for kind in KINDS:
        with threadpool_limits(1):  # sums in one order, so that every machine decides alike
            lists, removals = build(kind, n_steps)
        write_lists(out / FOLDERS[kind], lists)
        ledger += [f"{kind}\t{r.name}\t{r.label}\t{r.to}\t{r.reason}\t{','.join(r.packages)}" for r in removals]
        origins += [
            f"{kind}\t{entry.spelling}\t{label}\t{','.join(entry.packages)}"
            for label, entries in lists.items()
            for entry in entries.values()
        ]
        reports.append(render(kind, lists, removals))
        print(f"{kind}: {sum(map(len, lists.values()))} names, {Counter(r.reason for r in removals)}")
    write(out / "removed.tsv.gz", table("kind\tname\tfrom\tto\treason\tpackages", ledger))
    write(out / "origins.tsv.gz", table("kind\tname\tlabel\tpackages", origins))
    write(out / "REPORT.md", "\n".join(["# What the build made\n", *reports]).encode())


if __name__ == "__main__":
    main()
