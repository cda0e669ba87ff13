"""How to read the lists of each package, as it writes them.

Python packages come from `requirements.txt` and `requirements-lists.txt`, npm's from `fetch.py`; php-faker's lie here.
"""

import csv
import importlib
import json
import pickle
import re
import sqlite3
import subprocess
from collections import Counter, defaultdict
from contextlib import closing
from functools import cache
from importlib.metadata import distribution
from importlib.resources import files
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from fetch import npm_package
from romanise import fold
from sources import CORE, LABELS, Kind, Source

CORES = Path(__file__).parent / "cores"
VENDORED = Path(__file__).parent / "vendored"
# Countries of immigration say nothing of where a surname is native.
IMMIGRATION = frozenset(["American", "Canadian", "Australian"])
FAMILY_NAME_FIRST = frozenset(["Chinese", "Taiwanese", "Korean"])
# A first word, others, and a surname with the particles that belong to it; no "X of Y", no number, no "Jr."
PARTICLES = "van der den de ten ter 't te da do dos das di della del la los las du des le La Le De Di Van Al El Ben"
PERSON = re.compile(
    r"(?P<first>[^\W\d_][\w'-]+)(?: (?!of |the |bint |bin |ibn )[\w.'-]+?)*? "
    rf"(?P<last>(?:(?:{PARTICLES.replace(' ', '|')}) )*"
    r"(?!(?:Jr|Sr|[IVX]+|Júnior|Filho|Neto|Hanım)$)[^\W\d_]+(?:['-][^\W\d_]+)*)"
)
LEAST_BEARERS = 2  # one bearer is one person
LEAST_SHARE = 0.5  # of all bearers, if every label's people were as many
REGISTERS = [f"@zxcvbn-ts/language-{code}" for code in ("de", "en", "es-es", "fi", "nl-be", "pl")]
MOST_REGISTERED = 2000  # surnames of a register, which are no mere words even where no list here has them
FARSI_LETTERS = frozenset(["IR", "PK"])  # countries
SPELLINGS = 2  # in kanji, of one Japanese given name
SMALL_NATION = 2000  # people added to each nation, so that one bearer in a small one weighs little


def read(source: Source, label: str, kind: Kind) -> list[str]:
    """Return the names of one list, as its package writes them, in its order."""
    readers = {
        CORE: _read_core,
        "Faker": _read_faker,
        "mimesis": _read_mimesis,
        "@faker-js/faker": _read_npm_faker,
        "php-faker": _read_php_faker,
        "name2nat": _read_name2nat,
        "arabic-name-romanizer": _read_arabic_name_romanizer,
        "japanese-personal-name-dataset": _read_japanese,
        "habesha-names": _read_habesha,
    }
    return list(dict.fromkeys(readers.get(source.package, _read_zxcvbn)(source, label, kind)))


def _read_core(source: Source, label: str, _: Kind) -> list[str]:
    path = CORES / source.locale / f"{label}.txt"
    return path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []


def _read_faker(source: Source, _: str, kind: Kind) -> list[str]:
    provider = importlib.import_module(f"faker.providers.person.{source.locale}").Provider
    if kind == "given_names":
        attributes = [value for key, value in vars(provider).items() if key.startswith("first_names")]
        return [name for value in attributes if not isinstance(value, property) for name in value]
    names = getattr(provider, source.attr)
    if isinstance(names, dict) and source.ranked:
        return sorted(names, key=lambda name: -names[name])  # weights, commonest first
    return list(names)


def _read_mimesis(source: Source, _: str, kind: Kind) -> list[str]:
    path = files("mimesis").joinpath("datasets", source.locale, "person.json")
    names = json.loads(path.read_text("utf-8"))["names" if kind == "given_names" else "surnames"]
    return _of_gender(names, source.attr)


def _of_gender(names: Any, gender: str) -> list[str]:
    if not isinstance(names, dict):
        return list(names)
    return [name for key in sorted(names) if gender in ("", key) for name in names[key] or []]


def _read_japanese(source: Source, _: str, kind: Kind) -> list[str]:
    folder = files("japanese_personal_name_dataset").joinpath("dataset")
    if kind == "surnames":
        column = {"kanji": 0, "kana": 2}.get(source.locale, 3)
        lines = folder.joinpath("last_name_org.csv").read_text("utf-8").splitlines()
        return [row[column] for row in csv.reader(lines)]
    texts = [folder.joinpath(f"first_name_{sex}_opti.csv").read_text("utf-8") for sex in ("woman", "man")]
    rows = [row for text in texts for row in csv.reader(text.splitlines())]
    if source.locale == "kanji":
        return [name for row in rows for name in row[2 : 2 + SPELLINGS]]
    return [row[0 if source.locale == "kana" else 1] for row in rows]


@cache
def _npm_faker_people() -> dict[str, dict[str, Any]]:
    show = (
        "import * as f from './dist/index.js'; const o = {};"
        "for (const [k, l] of Object.entries(f.allLocales)) if (l.person)"
        "  o[k] = {last_name: l.person.last_name ?? {}, first_name: l.person.first_name ?? {}};"
        "process.stdout.write(JSON.stringify(o));"
    )
    node = ["node", "--input-type=module", "--eval", show]
    people: dict[str, Any] = json.loads(subprocess.check_output(node, cwd=npm_package("@faker-js/faker")))
    return people


def _read_npm_faker(source: Source, _: str, kind: Kind) -> list[str]:
    key = "first_name" if kind == "given_names" else "last_name"
    return _of_gender(_npm_faker_people()[source.locale][key], source.attr)


def _read_zxcvbn(source: Source, _: str, __: Kind) -> list[str]:
    """Read registers of names in small letters; where men and women have one each, in turns."""
    paths = sorted((npm_package(source.package) / "src").glob("*astnames.json"), reverse=True)
    lists = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    names = filter(None, chain.from_iterable(zip_longest(*lists)))
    return [name.title() for name in names]


def _read_php_faker(source: Source, _: str, __: Kind) -> list[str]:
    path = VENDORED / "php-faker" / f"{source.locale}.{source.attr}.txt"
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def _installed(package: str, path: str) -> Path:
    """Return the path of a package's file; importing it would ask for what it depends on."""
    return Path(str(distribution(package).locate_file(f"{package.replace('-', '_')}/{path}")))


class _PlainUnpickler(pickle.Unpickler):
    """A pickle of built-in containers and strings needs no class; one that asks for any is refused."""

    def find_class(self, module: str, name: str) -> None:
        raise pickle.UnpicklingError(f"{module}.{name} is asked for")


@cache
def _people() -> tuple[dict[str, Counter[str]], dict[str, Counter[str]], Counter[str]]:
    """Count people by label, or else nationality: by first word, by surname, and in all."""
    group_of = {
        nation: label
        for label, sources in LABELS.items()
        for source in sources
        if source.package == "name2nat"
        for nation in source.locale.split()
    }
    with _installed("name2nat", "name2nats.pkl").open("rb") as file:
        people: dict[str, list[str]] = _PlainUnpickler(file).load()
    first: dict[str, Counter[str]] = defaultdict(Counter)
    last: dict[str, Counter[str]] = defaultdict(Counter)
    sizes: Counter[str] = Counter()
    for person, nations in people.items():
        words = PERSON.fullmatch(person)
        if not words:
            continue
        for group in {group_of.get(nation, nation) for nation in nations if nation not in IMMIGRATION}:
            sizes[group] += 1
            first[words["first"]][group] += 1
            last[words["last"]][group] += 1
    return first, last, sizes


@cache
def count_namesakes(kind: Kind) -> Counter[str]:
    """Count the people of the English Wikipedia by folded first word or surname, whatever their nation."""
    first, last, _ = _people()
    counts: Counter[str] = Counter()
    for name, nations in (last if kind == "surnames" else first).items():
        counts[fold(name)] += nations.total()
    return counts


def read_names_of_people(n_namesakes: int, n_relatives: int) -> set[str]:
    """Return first words and surnames that so many people of the English Wikipedia have, whatever their nation."""
    first, last, _ = _people()
    least = ((first, n_namesakes), (last, n_relatives))
    return {word for table, n in least for word, counts in table.items() if counts.total() >= n}


def read_registered_surnames() -> set[str]:
    """Return the most common surnames of the registers that go by number of inhabitants, in small letters."""
    paths = [path for package in REGISTERS for path in (npm_package(package) / "src").glob("*astnames.json")]
    return {name for path in paths for name in json.loads(path.read_text(encoding="utf-8"))[:MOST_REGISTERED]}


def _read_habesha(source: Source, _: str, __: Kind) -> list[str]:
    """Read names that serve as given names and, for the next generation, as patronymics."""
    path = _installed("habesha-names", "data/given_names.json")
    entries = json.loads(path.read_text("utf-8"))["entries"]
    return [entry["fidel" if source.native else "canonical"] for entry in entries]


def _read_name2nat(source: Source, label: str, kind: Kind) -> list[str]:
    """Return the names that are more of this label than of all others together, by number of bearers."""
    first, last, sizes = _people()
    family_first = bool(FAMILY_NAME_FIRST & set(source.locale.split()))
    table = first if family_first == (kind == "surnames") else last
    ranked = []
    for name, counts in table.items():
        if counts[label] < LEAST_BEARERS:
            continue
        rates = {group: (n - 0.5) / (sizes[group] + SMALL_NATION) for group, n in counts.items()}
        if rates[label] >= LEAST_SHARE * sum(rates.values()):
            ranked.append((-counts[label], name))
    return [name for _, name in sorted(ranked)]


def _read_arabic_name_romanizer(source: Source, _: str, kind: Kind) -> list[str]:
    """Return the names of people in Wikidata whose bearers are mostly of these countries, by their number."""
    bearers: dict[str, Counter[str]] = defaultdict(Counter)
    path = _installed("arabic_name_romanizer", "resources/names.sqlite3")
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        column = "arabic_key" if source.native else "latin"
        query = f"SELECT {column}, country, count FROM units WHERE source = 'wikidata' AND role = ?"  # noqa: S608
        for name, country, count in database.execute(query, ("surname" if kind == "surnames" else "given",)):
            bearers[name][country] += count
    ranked = []
    for name, counts in bearers.items():
        own = sum(counts[country] for country in source.locale.split())
        # in Arabic letters, a name may be of several languages
        if (
            own >= LEAST_BEARERS
            and (4 if source.native else 2) * own > counts.total()
            and len(name) > 2
            and not re.search("[a-z][A-Z]", name)
        ):
            ranked.append((-own, name))
    names = [name for _, name in sorted(ranked)]
    return [_farsi(name) for name in names] if source.native and source.locale in FARSI_LETTERS else names


def _farsi(name: str) -> str:
    """Return a name with the letters of Persian and Urdu, for which the package writes their Arabic cousins."""
    return name.replace("\u064a", "\u06cc").replace("\u0643", "\u06a9")
