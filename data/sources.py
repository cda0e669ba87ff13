"""Which lists of which packages each label takes, and how to read them. Knows nothing of cleaning.

Every list comes from a pinned package (`requirements.txt`; the npm package below) or from `cores/`, written by hand.
"""

import base64
import csv
import hashlib
import importlib
import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

Kind = Literal["surnames", "given_names"]

CORE = "core"
CORES = Path(__file__).parent / "cores"
NPM_PACKAGE = "@faker-js/faker@10.6.0"
NPM_SHA512 = "3RQHgEtvL1Frl/d1cSreo7qhJ3Gk1OdNUai/CtZ8G+wYeRQnJih3s9xJ9/kgYekPQRdwgh0HXRPqMlzWGwivIQ=="


@dataclass(frozen=True)
class Source:
    """One list in one package.

    `attr` selects within the locale, `ranked` keeps the source's own order (commonest first). Of a list with a `keep`
    pattern, only the names that match it are taken.
    """

    package: str
    locale: str = ""
    attr: str = ""
    ranked: bool = False
    keep: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.package, self.locale, self.attr)))


def faker(locale: str, attr: str = "last_names", *, ranked: bool = False) -> Source:
    """Name a list of the Python package Faker."""
    return Source("Faker", locale, attr, ranked)


def mimesis(locale: str, attr: str = "", *, keep: str = "") -> Source:
    """Name a list of the Python package mimesis; `attr` is a gender where it has genders."""
    return Source("mimesis", locale, attr, keep=keep)


def npm(locale: str, attr: str = "") -> Source:
    """Name a list of the npm package @faker-js/faker; no `attr` means every gender."""
    return Source("@faker-js/faker", locale, attr)


# Brazil's list has many Italian and German names; these endings and letters are Portuguese.
PORTUGUESE = (
    r"^[^kwyKWY]*(?:es|eir[ao]|ão|[aeiu]nh[oa]|[^s]os|[^s]as|[^l]al|ais|eu|uz|az|ad[ao]|ed[ao]"
    r"|eixo|[aei]lho)$"
)

# Besides its core. Which community a name belongs to is for cleaning.py to find, not for the list that holds it.
LABELS: dict[str, list[Source]] = {
    "Vietnamese": [faker("vi_VN", ranked=True)],
    "Lithuanian": [faker("lt_LT")],
    "Bulgarian": [],
    "Hebrew": [],
    "Hindi": [],
    "Persian": [],
    "Arabic": [faker("fr_DZ")],
    "Japanese": [Source("japanese-personal-name-dataset", "ja", ranked=True)],
    "Chinese": [
        faker("zh_CN", ranked=True), faker("zh_CN", "last_romanized_names"),
        faker("zh_TW", "last_romanized_names"), npm("en_HK"),
    ],
    "Korean": [faker("ko_KR", ranked=True), npm("ko")],
    "Turkish": [npm("tr"), mimesis("tr"), faker("tr_TR")],
    "Azerbaijani": [faker("az_AZ"), mimesis("az"), npm("az")],
    "Uzbek": [npm("uz_UZ_latin"), faker("uz_UZ", "last_names_male")],
    "Kazakh": [mimesis("kk", "male"), mimesis("kk", "female")],
    "Armenian": [faker("hy_AM"), npm("hy")],
    "Georgian": [faker("ka_GE"), npm("ka_GE")],
    "Greek": [faker("el_GR"), npm("el"), mimesis("el", "male"), mimesis("el", "female")],
    "Russian": [faker("ru_RU", ranked=True), mimesis("ru", "male"), mimesis("ru", "female")],
    "Ukrainian": [faker("uk_UA"), mimesis("uk", "male"), mimesis("uk", "female"), npm("uk")],
    "Macedonian": [faker("mk_MK"), npm("mk")],
    "Serbian": [npm("sr_RS_latin")],
    "Croatian": [faker("hr_HR"), mimesis("hr")],
    "Slovenian": [faker("sl_SI", ranked=True), npm("sl_SI")],
    "Czech": [faker("cs_CZ"), npm("cs_CZ")],
    "Slovak": [faker("sk_SK"), npm("sk")],
    "Polish": [
        faker("pl_PL", "male_last_names", ranked=True), npm("pl"),
        faker("pl_PL", "unisex_last_names"),
    ],
    "Hungarian": [faker("hu_HU", ranked=True), npm("hu"), mimesis("hu")],
    "Romanian": [faker("ro_RO"), npm("ro"), npm("ro_MD")],
    "Latvian": [faker("lv_LV"), npm("lv")],
    "Estonian": [faker("et_EE", "last_names_est")],
    "Italian": [npm("it"), faker("it_IT")],
    "Spanish": [
        faker("es_CO", ranked=True), faker("es_CL", ranked=True), faker("es_ES"), faker("es_MX"),
        faker("es_AR"), npm("es"), npm("es_MX"), mimesis("es"),
    ],
    "Portuguese": [
        faker("pt_PT"), faker("pt_BR"), npm("pt_PT"), npm("pt_BR"), mimesis("pt"),
        mimesis("pt-br", keep=PORTUGUESE),
    ],
    "French": [
        faker("fr_FR", ranked=True), faker("fr_CA"),
        npm("fr"), mimesis("fr"),
    ],
    "German": [faker("de_DE"), faker("de_AT"), npm("de")],
    "Dutch": [faker("nl_NL"), npm("nl"), npm("nl_BE"), faker("nl_BE", ranked=True), npm("af_ZA")],
    "Danish": [faker("da_DK", ranked=True), mimesis("da"), npm("da")],
    "Norwegian": [faker("no_NO"), mimesis("no"), npm("nb_NO")],
    "Swedish": [mimesis("sv"), faker("sv_SE", ranked=True), npm("sv")],
    "Icelandic": [mimesis("is", "male"), mimesis("is", "female")],
    "Finnish": [faker("fi_FI", ranked=True), mimesis("fi"), npm("fi")],
    "Irish": [faker("en_IE"), faker("ga_IE")],
    "English": [
        faker("en_GB", ranked=True), faker("en_NZ", ranked=True),
        faker("en_US", ranked=True),
    ],
}  # fmt: skip


@cache
def npm_people() -> dict[str, dict[str, dict[str, list[str]]]]:
    """Fetch the npm package, check its digest and return every locale's `person` lists."""
    show = (
        "import * as f from './package/dist/index.js'; const o = {};"
        "for (const [k, l] of Object.entries(f.allLocales)) if (l.person)"
        "  o[k] = {last_name: l.person.last_name ?? {}, first_name: l.person.first_name ?? {}};"
        "process.stdout.write(JSON.stringify(o));"
    )
    with tempfile.TemporaryDirectory() as folder:
        pack = ["npm", "pack", "--silent", NPM_PACKAGE]
        tarball = Path(folder, subprocess.check_output(pack, cwd=folder, text=True).strip())
        digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        if digest != NPM_SHA512:
            raise SystemExit(f"{NPM_PACKAGE}: digest {digest} is not the pinned one")
        with tarfile.open(tarball) as archive:
            archive.extractall(folder, filter="data")
        node = ["node", "--input-type=module", "--eval", show]
        people: dict[str, Any] = json.loads(subprocess.check_output(node, cwd=folder))
    return people


def sources_of(label: str, kind: Kind) -> list[Source]:
    """Return the label's lists, its core first; given names come from the locales of its surnames."""
    if kind == "surnames":
        return [Source(CORE, ranked=True), *LABELS[label]]
    locales = dict.fromkeys(Source(source.package, source.locale) for source in LABELS[label])
    return [Source(CORE, ranked=True), *locales]


def read(source: Source, label: str, kind: Kind) -> list[str]:
    """Return the names of one list, as its package writes them, in its order."""
    readers = {CORE: _read_core, "Faker": _read_faker, "mimesis": _read_mimesis, "@faker-js/faker": _read_npm}
    return list(dict.fromkeys(readers.get(source.package, _read_japanese)(source, label, kind)))


def _read_core(_: Source, label: str, kind: Kind) -> list[str]:
    return (CORES / kind / f"{label}.txt").read_text(encoding="utf-8").split("\n")[:-1]


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


def _read_npm(source: Source, _: str, kind: Kind) -> list[str]:
    return _of_gender(npm_people()[source.locale]["first_name" if kind == "given_names" else "last_name"], source.attr)


def _of_gender(names: Any, gender: str) -> list[str]:
    if not isinstance(names, dict):
        return list(names)
    return [name for key in sorted(names) if gender in ("", key) for name in names[key] or []]


def _read_japanese(_: Source, __: str, kind: Kind) -> list[str]:
    folder = files("japanese_personal_name_dataset").joinpath("dataset")
    if kind == "surnames":
        return [row[3] for row in csv.reader(folder.joinpath("last_name_org.csv").read_text("utf-8").splitlines())]
    texts = [folder.joinpath(f"first_name_{sex}_opti.csv").read_text("utf-8") for sex in ("woman", "man")]
    return [row[1] for text in texts for row in csv.reader(text.splitlines())]
