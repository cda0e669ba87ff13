"""Which names stay under which label, and why the others go.

Four steps, each of which accounts for every name it takes: no name, core, spelling, doubt. What was written by hand as
common is never cleaned.
"""

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from romanise import fold, plain
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sources import Kind

SHARED = 0.25  # a name of no core stays under each label that is at least this fraction as likely as the likeliest
DOUBTFUL = 0.02  # an entry goes when its label gets less than this from names it was not trained with ...
CONFIDENT = 0.7  # ... and one other label gets more than this

# Surnames that a label's lists hold but its language did not make (or that are misspelt there).
FAULTS = {
    "Dutch": r",|^(?!(?:Van|De|Die|Uit|Le|Den|Ten|Ter|Vande) )[A-Z]\S* \S|^The "  # medieval nobles
    r"|^(?:Boyes|Castens|Delaney|Donald|Ferreira|Powell|Pringle|Roberts|Snell|Dyer)$",  # rugby players
    "Estonian": r"(?:ov|ev|in|ova|eva|ina)$|^(?:Koval|Klein)$",
    # Irish or Scottish, Danish, Spanish.
    "English": r"^(?i:Mc|O'|O(?:neil|neal|conn|brien|donnel|hara))|^Mac[A-Z]|(?:sen|ez)$",
    # Portuguese and Spanish, Irish, German.
    "French": r"(?i)[^p]ez$|^(?:D[ao]s? (?:Silva|Costa|Santos)|De (?:Oliveira|Sousa))$|^(?:Mc|O')"
    r"|^(?:Garcia|Pereira|Ferreira|Rodrigues|Fernandes|Gon[cç]alves|Martins|Lopes|Ribeiro|Gomes"
    r"|Marques|Alves|Pinto|Teixeira|Costa|Dias|Torres|Mend[eè]s|Ramos|Pires|Navarro|Moreno|Munoz"
    r"|Rossi|Diallo|Dasilva|Ly|Weiss|Fischer|Wagner|Becker|Schmitt|Schneider|Muller|Meyer|Klein|Weber)$",
    "Latvian": r"[eo]v[sa]$",  # Russian names with a Latvian ending
    "Arabic": r"^Allah$",
    "Persian": r"(?:Saltaneh|Molk|Dowleh|Kh[aá]num)$|^F[ei]shtali$",  # titles; a Moroccan
    "Hungarian": r"^(?:Curiel|Freud|Parnell|Riesz|Roveda|Takach)$",
    "Portuguese": r"^(?:Carazas|Chies|Corcos|Cervantes|Dal Piaz|Peppelenbos|Schulthais|Manfredo)$",
    "Swedish": r"sen$",
    "German": r"(?:sk[aiy]|wicz|[aei]jan|nian|i[cć]|uk)$",  # Slavic and Armenian
    "Danish": r"sson$",
    "Norwegian": r"sson$|^Mickelson$",
    "Kazakh": r" |ovy$|(?<!ov|ev|in|yn)a$",  # patronymics in two words, a family in the plural, made feminines
    "Slovenian": r"ić$",  # Serbian and Croatian spelling
    "Uzbek": r"(?i)[^aeiou]yeva?$|(?<!ov|ev|in)a$",  # made by machine: the suffix is -ov after a consonant
    "Slovak": r"[aý]ová$",  # feminines made of adjectives
    "Czech": r"íová$",
    "Icelandic": r"s{3}|^(?:Vigs|Baua|Gaua|Tíma)(?:son|dóttir)$",  # made of given names cut wrongly
    "Georgian": r"sshvili$|^(?:Ali|Isa|Vali|Nabi|Musa|Mustapa|Abdula|Gaji)ev[ia]$",  # Azerbaijani families
    "Azerbaijani": r"qızı$",  # patronymics
    # Peoples of the highlands, and given names.
    "Vietnamese": r"[WJZFwjzfñ']|^(?:Kp|Ks|Ml|Rc|Bl|By|Pu|Pi|Pơ|Rơ|Ka|Ci|Ay|Al|Êb|Êñ|Cham|Nay|Mùa|Thào|Chẻo|Quàng)"
    r"|^(?:Bình|Hùng|Khoa|Lỡ|Ngân|Nhiệm|Sơn|Tiếp|Thập|Ánh|Thịnh|Nghị|Trưng)$",
    # Titles and given names.
    "Chinese": r"^(?:Empress|Consort|Evonne|Ioannes|Ocean|Dilmurat|Nanyue|Xuedou|Hongzhi|Xiaodong)$"
    r"|-(?:[Mm]ing|[Ww]ei|[Ll]ung)$",
}  # fmt: skip


def read_misplaced(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Return why entries that a reader judged are not names of their label, by label and kind, by plain name."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            for kind in ("surnames", "given_names") if row["kind"] == "both" else (row["kind"],):
                found[row["label"], kind] |= {plain(name): row["reason"] for name in row["names"].split(", ")}
    return found


MISPLACED = read_misplaced(Path(__file__).parent / "misplaced.tsv")


@dataclass
class Entry:
    """One name under one label: its spelling, whether it is in the core, or common, and the packages that hold it."""

    spelling: str
    in_core: bool = False
    is_common: bool = False
    packages: list[str] = field(default_factory=list)


Lists = dict[str, dict[str, Entry]]
"""Entries by label and by folded name, most common first."""


@dataclass(frozen=True)
class Removal:
    """A line of the ledger: `to` is the label that keeps the name or looks likelier, or nothing."""

    name: str
    label: str
    to: str
    reason: str
    packages: tuple[str, ...]


def removal(entry: Entry, label: str, to: str, reason: str) -> Removal:
    """Return the ledger's line for an entry."""
    return Removal(entry.spelling, label, to, reason, tuple(entry.packages))


def why_no_name(name: str, label: str, kind: Kind) -> str:
    """Return what is wrong with an entry, or nothing."""
    if len(name) < 2 or not re.fullmatch(r"[^\W\d_]+(?:[-' ]+[^\W\d_]+)*'?|'[st] \w+", name):
        return "no name: not letters in words"
    if not all(unicodedata.name(c, "").startswith("LATIN") for c in name if c.isalpha()):
        return "no name: not in Latin letters"
    if re.search(r"(?:^|\s)(?:[A-Z]|Dr|Mrs?|Prof|Sir|Jr|Sr)(?:\s|$)", name):
        return "no name: an initial or a title"
    if re.search(r"[a-z]{4}[A-Z]", fold(name[:1]) + name[1:]):
        return "no name: two names run together"
    if kind == "surnames" and re.search(FAULTS.get(label, r"(?!)"), name):
        return "no name: a known fault of the label's lists"
    reason = MISPLACED[label, kind].get(plain(name))
    return f"no name: {reason}" if reason else ""


def resolve_by_cores(lists: Lists) -> Iterator[Removal]:
    """Take a name that stands in some cores from every label in whose core it does not stand."""
    homes: dict[str, list[str]] = defaultdict(list)
    for label, entries in lists.items():
        for key, entry in entries.items():
            if entry.in_core:
                homes[key].append(label)
    for label, entries in lists.items():
        for key in [key for key, entry in entries.items() if key in homes and not entry.is_common]:
            yield removal(entries.pop(key), label, "|".join(homes[key]), "core: common elsewhere")


def resolve_by_spelling(lists: Lists) -> Iterator[Removal]:
    """Leave a name that several labels claim, none by its core, to those that its spelling fits."""
    claims: dict[str, list[str]] = defaultdict(list)
    for label, entries in lists.items():
        for key, entry in entries.items():
            if not entry.is_common:
                claims[key].append(label)
    disputed = {key: labels for key, labels in claims.items() if len(labels) > 1}
    known = [(key, label) for label, entries in lists.items() for key in entries if key not in disputed]
    judge = ngram_classifier(balanced=True).fit(*map(list, zip(*known, strict=True)))
    column = {label: i for i, label in enumerate(judge.classes_)}
    for (key, labels), row in zip(disputed.items(), judge.predict_proba(_marked(disputed)), strict=True):
        likeliest = max(labels, key=lambda label: row[column[label]])
        for label in labels:
            if row[column[label]] < SHARED * row[column[likeliest]]:
                yield removal(lists[label].pop(key), label, likeliest, "spelling: likelier elsewhere")


def drop_doubtful(lists: Lists) -> Iterator[Removal]:
    """Take entries that confident learning holds for mislabelled, judged by folds that did not see them.

    Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021.
    """
    rows = [(key, label) for label, entries in lists.items() for key in entries]
    keys = [key for key, _ in rows]
    labels = sorted(lists)
    truth = np.array([labels.index(label) for _, label in rows])
    probabilities = _out_of_fold(keys, truth)
    suspected = find_label_issues(truth, probabilities, filter_by="both", n_jobs=1)
    for (key, label), own, row, suspect in zip(rows, truth, probabilities, suspected, strict=True):
        other = int(row.argmax())
        if suspect and row[own] < DOUBTFUL and row[other] > CONFIDENT and not lists[label][key].is_common:
            yield removal(lists[label].pop(key), label, labels[other], "doubt: confident learning")


def ngram_classifier(*, balanced: bool) -> Pipeline:
    """Return a 1-to-5-gram logistic regression over marked names."""
    vectors = CountVectorizer(analyzer="char", ngram_range=(1, 5), min_df=2, binary=True, dtype=np.float32)
    weight = "balanced" if balanced else None
    return make_pipeline(vectors, LogisticRegression(C=0.3, max_iter=300, tol=1e-3, class_weight=weight))


def _out_of_fold(keys: list[str], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    probabilities = np.zeros((len(keys), truth.max() + 1))
    names = np.array(_marked(keys))
    for seen, unseen in StratifiedKFold(5, shuffle=True, random_state=0).split(names, truth):
        model = ngram_classifier(balanced=False).fit(names[seen], truth[seen])
        probabilities[unseen] = model.predict_proba(names[unseen])
    return probabilities


def _marked(keys: Iterable[str]) -> list[str]:
    return [f"^{key}$" for key in keys]
