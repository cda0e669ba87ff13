"""Build `data/names/<Label>.txt` (one romanised surname a line) from pinned MIT-licensed packages.

Run `python data/build_names.py [--out DIR]` after `pip install -r data/requirements.txt`; `node`
and `npm` must be on the path. The output is the same, byte for byte, on every run; `data/README.md`
says what a label means and what was left out.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import importlib
import json
import re
import subprocess
import tarfile
import tempfile
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyascii import anyascii

if TYPE_CHECKING:
    from collections.abc import Iterable

# ruff: noqa: RUF001 - the tables hold letters of other scripts that look Latin

NPM_PACKAGE = "@faker-js/faker@10.6.0"
NPM_SHA512 = "3RQHgEtvL1Frl/d1cSreo7qhJ3Gk1OdNUai/CtZ8G+wYeRQnJih3s9xJ9/kgYekPQRdwgh0HXRPqMlzWGwivIQ=="
CAP = 3000  # most names a label may have
MINIMUM = 150  # fewest names a label may have ...
SMALL_SETS = {"Chinese", "Korean"}  # ... but these communities have few surnames,
SMALL_MINIMUM = 80  # so a shorter list is whole
MAX_GIVEN_SHARE = 0.5  # a list with more given names than this is not a list of surnames


@dataclass(frozen=True)
class Source:
    """One list in one package.

    `attr` selects within the locale, `ranked` keeps the source's own order (commonest first),
    and `country` marks a list of a country's residents, from which other languages' names go.
    Of a list with a `keep` pattern, only the names that match it are taken.
    """

    package: str
    locale: str
    attr: str = ""
    ranked: bool = False
    country: bool = False
    keep: str = ""


def faker(locale: str, attr: str = "last_names", ranked: bool = False, country: bool = False) -> Source:
    """Name a list of the Python package Faker."""
    return Source("Faker", locale, attr, ranked, country)


def mimesis(locale: str, attr: str = "", country: bool = False, keep: str = "") -> Source:
    """Name a list of the Python package mimesis; `attr` is a gender where it has genders."""
    return Source("mimesis", locale, attr, country=country, keep=keep)


def npm(locale: str, attr: str = "", country: bool = False) -> Source:
    """Name a list of the npm package @faker-js/faker; no `attr` means every gender."""
    return Source("@faker-js/faker", locale, attr, country=country)


# Brazil's list has many Italian and German names; these endings and letters are Portuguese.
PORTUGUESE = (
    r"^[^kwyKWY]*(?:es|eir[ao]|ão|[aeiu]nh[oa]|[^s]os|[^s]as|[^l]al|ais|eu|uz|az|ad[ao]|ed[ao]"
    r"|eixo|[aei]lho)$"
)

# Labels are built in this order: a country list also gives way to the labels above its own.
LABELS: dict[str, list[Source]] = {
    "Arabic": [faker("fr_DZ")],
    "Japanese": [Source("japanese-personal-name-dataset", "ja", ranked=True)],
    "Chinese": [
        faker("zh_CN", ranked=True), faker("zh_CN", "last_romanized_names"),
        faker("zh_TW", "last_romanized_names"), npm("en_HK"),
    ],
    "Korean": [faker("ko_KR", ranked=True), npm("ko")],
    "Akan": [faker("tw_GH")],
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
        faker("pl_PL", "unisex_last_names", country=True),
    ],
    "Hungarian": [faker("hu_HU", ranked=True), npm("hu"), mimesis("hu", country=True)],
    "Romanian": [faker("ro_RO"), npm("ro", country=True), npm("ro_MD", country=True)],
    "Latvian": [faker("lv_LV"), npm("lv")],
    "Estonian": [faker("et_EE", "last_names_est")],
    "Italian": [npm("it"), faker("it_IT", country=True)],
    "Spanish": [
        faker("es_CO", ranked=True), faker("es_CL", ranked=True), faker("es_ES"), faker("es_MX"),
        faker("es_AR"), npm("es"), npm("es_MX"), mimesis("es"),
    ],
    "Portuguese": [
        faker("pt_PT"), faker("pt_BR"), npm("pt_PT"), npm("pt_BR"), mimesis("pt", country=True),
        mimesis("pt-br", country=True, keep=PORTUGUESE),
    ],
    "French": [
        faker("fr_FR", ranked=True), faker("fr_CA", country=True),
        npm("fr", country=True), mimesis("fr", country=True),
    ],
    "German": [faker("de_DE"), faker("de_AT", country=True), npm("de", country=True)],
    "Dutch": [faker("nl_NL"), npm("nl"), npm("nl_BE"), faker("nl_BE", ranked=True, country=True)],
    "Afrikaans": [npm("af_ZA")],
    "Danish": [faker("da_DK", ranked=True), mimesis("da", country=True), npm("da", country=True)],
    "Norwegian": [faker("no_NO"), mimesis("no", country=True), npm("nb_NO", country=True)],
    "Swedish": [mimesis("sv"), faker("sv_SE", ranked=True, country=True), npm("sv", country=True)],
    "Icelandic": [mimesis("is", "male"), mimesis("is", "female")],
    "Finnish": [faker("fi_FI", ranked=True, country=True), mimesis("fi", country=True), npm("fi")],
    "Irish": [faker("en_IE", country=True), faker("ga_IE")],
    "English": [
        faker("en_GB", ranked=True), faker("en_NZ", ranked=True, country=True),
        faker("en_US", ranked=True, country=True),
    ],
}  # fmt: skip

# Languages so close that a name in one says nothing against the other.
FAMILIES = (
    {"Danish", "Norwegian", "Swedish"}, {"Polish", "Czech", "Slovak"}, {"Dutch", "Afrikaans"},
    {"Spanish", "Portuguese"},
)  # fmt: skip

# Common names whose home is known: they go from every label but their own.
HOMES = {
    "Arabic": "Abbas Abdi Abdullah Abdullahi Ahmad Ahmed Akhtar Ali Amin Aziz Farah Hamad Hashi"
    " Hassan Hosseini Hussain Hussein Ibrahim Iqbal Ismail Jama Khalil Khan Mahmood Mahmoud Malik"
    " Miah Mohamed Mohammad Mohammed Mohamud Mustafa Noor Nur Omar Osman Rahman Rashid Said Saleh"
    " Salem Shah Warsame Yusuf Bibi Begum Nasser Hamid Saeed Mirza Butt Hashemi Karimi Jafari",
    "Indian": "Singh Kaur Patel Sharma Kumar Gupta Mistry Das",
    "Vietnamese": "Nguyen Tran Pham Huynh Hoang Vu Le Ngo Truong",
    "Chinese": "Chan Chang Chen Cheng Ching Huang Li Lin Liu Wang Wong Wu Yang Zhang Zhou",
    "Korean": "Kim Park Choi",
    "Turkish": "Yilmaz Kaya Demir Celik Sahin Yildiz Yildirim Dogan Arslan Aydin Ozturk Kilic",
    "English": "Smith Jones Brown Williams Taylor Davies Evans Johnson Wilson Walker Wright"
    " Robinson Thompson White Hall Green Clark Clarke Jackson Wood Harris Edwards Scott Moore Cooper Ward",
    "Irish": "Boyle Brady Brennan Buckley Burke Byrne Carroll Casey Cassidy Clancy Connolly Connor"
    " Conway Corcoran Cullen Cunningham Curran Daly Delaney Dempsey Doherty Dolan Donnelly Donovan"
    " Doyle Duffy Duggan Dwyer Egan Fallon Farrell Finnegan Fitzgerald Fitzpatrick Flanagan Flynn"
    " Foley Gallagher Griffin Hayes Healy Hennessy Hickey Higgins Hogan Joyce Keane Keating Keegan"
    " Kelly Kennedy Kenny Lynch Lyons Madden Maguire Maher Malone Mooney Moran Mullen Mulligan"
    " Murphy Nolan Nugent Power Quinn Reilly Regan Riordan Rooney Ryan Sheehan Shea Sheridan"
    " Sullivan Sweeney Tierney Tobin Walsh Whelan",
}  # fmt: skip

# Native names of a country list that other languages' lists hold too: these stay.
CORES = {
    "German": "Adam Albrecht Arnold Bartels Bayer Beck Bergmann Böhm Bösch Brandt Braun Bürger Bäcker"
    " Dietrich Dittrich Eckhardt Egger Erdmann Fiedler Fink Frank Freitag Frey Friedrich Fuchs Gasser"
    " Gross Gruber Häfner Hagen Heller Hildebrand Hirsch Hofer Höfer Horn Huber Jung Jürgens Kaiser"
    " Keller Klein Klinger Koenig Kofler Konrad Krüger Lang Langer Larcher Linden Mai Mair Mann Marx"
    " Mayer Meier Meissner Mertens Möller Moser Neubauer Neugebauer Neumann Ott Otte Peters Pichler"
    " Pircher Preuss Reich Reimann Reiter Richter Roth Sander Scheer Schneider Schultz Schwartz"
    " Schwarz Seidl Simon Sommer Stahl Stark Stein Steiner Stephan Strauss Thomas Ulrich Urban Vogel"
    " Volk Weber Winter Wolf Wolff Ziegler Zimmermann",
    "French": "Babin Brière Danis Favre Gervais Gibert Grange Lafleur Lamotte Léonard Lévesque Mahieu"
    " Marais Pagé Tardy Vial Vignon",
    "Danish": "Bak Bang Birch Bloch Brink Brix Brun Bæk Frost Grøn Holdt Holt Honoré Hougaard Kamp Kirk"
    " Krabbe Køhler Lange Munch Rømer Schrøder Wulff",
    "Finnish": "Koski Kivi Mäki Möttölä Palo Salmi",
    "Romanian": "Balaban Bogdan Damian Dan David Dragan Duca Filip Lazar Luca Marian Moldovan Pavel"
    " Roman Rus Sima Stefan Stoian Vasile",
    "English": "Boyce Clifford Craven Dalton Davenport Dickson Donaldson Drummond Fenton Forbes Gunn"
    " Hadfield Hoskins Johnstone Laing Logan Millar Monk Montgomery Moody Nicholas Nicol Rodgers Rush"
    " Simmonds Small Stuart Tanner Terry Whyte Woolley",
}  # fmt: skip

# Entries that a label's lists hold but its language did not make (or that are misspelt there).
DROPS = {
    "Dutch": r",|^(?!(?:Van|De|Die|Uit|Le|Den|Ten|Ter|Vande) )[A-Z]\S* \S|^The ",  # medieval nobles
    "Estonian": r"(?:ov|ev|in|ova|eva|ina)$|^(?:Koval|Klein)$",
    # Irish or Scottish, Danish, Spanish.
    "English": r"^(?i:Mc|O'|O(?:neil|neal|conn|brien|donnel|hara))|^Mac[A-Z]|(?:sen|ez)$",
    # Portuguese and Spanish, Irish, German.
    "French": r"(?i)[^p]ez$|^(?:D[ao]s? (?:Silva|Costa|Santos)|De (?:Oliveira|Sousa))$|^(?:Mc|O')"
    r"|^(?:Garcia|Pereira|Ferreira|Rodrigues|Fernandes|Gon[cç]alves|Martins|Lopes|Ribeiro|Gomes"
    r"|Marques|Alves|Pinto|Teixeira|Costa|Dias|Torres|Mend[eè]s|Ramos|Pires|Navarro|Moreno|Munoz"
    r"|Rossi|Diallo|Dasilva|Ly|Weiss|Fischer|Wagner|Becker|Schmitt|Schneider|Muller|Meyer|Klein|Weber)$",
    "Hungarian": r"^(?:Curiel|Freud|Parnell|Riesz|Roveda|Takach)$",
    "Portuguese": r"^(?:Carazas|Chies|Corcos|Cervantes|Dal Piaz|Peppelenbos|Schulthais|Manfredo)$",
    "Swedish": r"sen$",
    "German": r"(?:sk[aiy]|wicz|[aei]jan|nian|i[cć]|uk)$",  # Slavic and Armenian
    "Danish": r"sson$",
    "Norwegian": r"sson$|^Mickelson$",
    "Kazakh": r" |ovy$",  # patronymics in two words, and one family in the plural
    "Slovenian": r"ić$",  # Serbian and Croatian spelling
    "Uzbek": r"(?i)[^aeiou]yeva?$",  # made by machine: the suffix is -ov after a consonant
    "Afrikaans": r"^(?:Boyes|Castens|Delaney|Donald|Ferreira|Powell|Pringle|Roberts|Snell|Dyer)$",
}  # fmt: skip

# Spelling rules on the lower-case word, used before the library's letter-by-letter table.
CYRILLIC = [(r"[ьъ](?=[её])", "y"), (r"[ьъʼ’']", "")]
SCRIPTS: dict[str, list[tuple[str, str]]] = {
    "Russian": [*CYRILLIC, (r"[иы]й$", "y")],
    "Kazakh": [*CYRILLIC, (r"ий$", "y")],
    "Ukrainian": [
        (r"[ьʼ’']", ""), (r"зг", "zgh"), (r"г", "h"), (r"ґ", "g"), (r"\bє", "ye"), (r"\bї", "yi"),
        (r"\bю", "yu"), (r"\bя", "ya"), (r"\bй", "y"), (r"ю", "iu"), (r"я", "ia"), (r"[йї]", "i"),
        (r"и", "y"),
    ],
    "Macedonian": [(r"ѓ", "gj"), (r"ќ", "kj"), (r"ц", "c"), (r"х", "h"), (r"'", "")],
    "Greek": [
        (r"ου", "ou"), (r"([αεη])υ(?=[θκξπσςτφχψ])", r"\1f"), (r"([αεη])υ(?!̈)", r"\1v"),
        (r"\bμπ", "b"), (r"\bγκ", "g"), (r"\bντ", "d"), (r"γ(?=[γξχ])", "n"),
    ],
    "Armenian": [(r"ու", "u"), (r"\bե", "ye"), (r"\bո", "vo"), (r"ռ", "r")],
    "Georgian": [],
    "Korean": [],
    "Chinese": [],
}  # fmt: skip


def pairs(text: str) -> dict[str, str]:
    """Return the table that a text of `key:value` words spells."""
    return dict(word.split(":") for word in text.split())


# Surnames that are read otherwise than the same characters in a text.
CHINESE = pairs("曾:zeng 翟:zhai 单:shan 解:xie 缪:miao 仇:qiu 查:zha 区:ou 朴:piao 盖:ge 都:du 薄:bo 覃:qin 卜:bu")
# Korean surnames as their bearers usually write them; others follow the official spelling.
KOREAN = pairs(
    "김:Kim 이:Lee,Yi,Rhee 박:Park,Pak 최:Choi 정:Jung,Jeong,Chung 강:Kang 조:Cho,Jo "
    "윤:Yoon,Yun 장:Jang,Chang 임:Lim,Im 한:Han 오:Oh 서:Seo,Suh 신:Shin 권:Kwon 황:Hwang "
    "안:Ahn,An 송:Song 류:Ryu 유:Yoo,Yu 전:Jeon,Chun 홍:Hong 고:Ko,Koh 문:Moon "
    "손:Son,Sohn 양:Yang 배:Bae 백:Baek,Paik 허:Heo,Hur 노:Noh,Roh 남:Nam 심:Shim 하:Ha "
    "곽:Kwak 성:Sung 차:Cha 주:Joo 우:Woo 구:Koo 민:Min 나:Na 지:Ji 엄:Eom,Um 원:Won "
    "천:Cheon 방:Bang 공:Kong 현:Hyun 함:Ham 염:Yeom,Yum 추:Choo 도:Do 소:So 선:Sun "
    "명:Myung 금:Keum 육:Yook 국:Kook 두:Doo 변:Byun 승:Seung 진:Jin,Chin 형:Hyung 라:Ra "
    "부:Boo 길:Gil,Kil 반:Ban,Pan 가:Ka 간:Kan 감:Kam"
)


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


def read(source: Source, given: bool = False) -> list[str]:
    """Return a source's surnames, or its locale's given names, as the package has them."""
    lists: Any
    if source.package == "Faker":
        provider = importlib.import_module(f"faker.providers.person.{source.locale}").Provider
        if given:
            wanted = [key for key in vars(provider) if key.startswith("first_names")]
            groups = [getattr(provider, key) for key in wanted]
            return [name for group in groups if not isinstance(group, property) for name in group]
        lists = getattr(provider, source.attr)
        if isinstance(lists, dict) and source.ranked:
            lists = sorted(lists, key=lambda name: -lists[name])  # weights, commonest first
    elif source.package == "mimesis":
        path = files("mimesis").joinpath("datasets", source.locale, "person.json")
        lists = json.loads(path.read_text("utf-8"))["names" if given else "surnames"]
    elif source.package == "@faker-js/faker":
        lists = npm_people()[source.locale]["first_name" if given else "last_name"]
    else:
        path = files("japanese_personal_name_dataset").joinpath("dataset", "last_name_org.csv")
        rows = csv.reader(path.read_text("utf-8").splitlines())
        lists = [] if given else [row[3] for row in rows]
    if isinstance(lists, dict) and source.package != "Faker":  # by gender
        keys = [key for key in sorted(lists) if given or source.attr in ("", key)]
        lists = [name for key in keys for name in lists[key] or []]
    return list(dict.fromkeys(lists))


def japanese(name: str) -> str:
    """Write a long vowel once, as people do (satou: sato), but not one over a seam (inoue)."""
    name = re.sub(r"oo|ou(?!e|chi)", "o", name)
    return re.sub(r"(?<=[yhjf])uu", "u", name)


def romanise(name: str, label: str) -> list[str]:
    """Return the Latin spellings of a name: one, but for some Korean surnames."""
    if label == "Japanese":
        return [japanese(name).capitalize()]
    if label == "Korean" and name in KOREAN:
        return KOREAN[name].split(",")
    if label not in SCRIPTS:
        return [name]
    if label == "Chinese":
        return [CHINESE.get(name, anyascii(name)).capitalize()]
    latin = name.lower()
    if label == "Greek":  # accents mark stress and go; the dots that part two vowels stay
        latin = unicodedata.normalize("NFD", latin).replace("\u0301", "")
    for pattern, spelling in SCRIPTS[label]:
        latin = re.sub(pattern, spelling, latin)
    latin = anyascii(latin).lower().replace("'", "")
    if label == "Korean":  # the official spelling hardens a last consonant
        latin = re.sub("(?<!n)[gdb]$", lambda end: {"g": "k", "d": "t", "b": "p"}[end[0]], latin)
    return [re.sub(r"[^\W\d_]+", lambda word: word[0].capitalize(), latin)]


def tidy(name: str) -> str:
    """Return a Latin name in one form of letters, apostrophes, spaces and capitals."""
    name = unicodedata.normalize("NFC", name)
    name = name.translate(str.maketrans("\u025b\u03b5\u0254", "eeo"))  # Akan's open e and o
    name = " ".join(re.sub("[\u2018\u2019\u02bb\u02bc`]", "'", name).split())
    if name.isupper():
        name = name.title()
    head, space, last = name.rpartition(" ")
    return head + space + last[:1].upper() + last[1:]  # "ribič", "Da silva"; "van der Berg" stays


def is_name(name: str) -> bool:
    """Tell whether an entry is one whole name."""
    return (
        len(name) > 1
        # Letters only, in words parted by a space, a hyphen or an apostrophe.
        and re.fullmatch(r"[^\W\d_]+(?:[-' ]+[^\W\d_]+)*|'[st] \w+", name) is not None
        # No initials and no titles.
        and re.search(r"(?:^|\s)(?:[A-Z]|Dr|Mrs?|Prof|Sir|Jr|Sr)(?:\s|$)", name) is None
        # No two names run together.
        and re.search(r"[a-z]{4}[A-Z]", anyascii(name)) is None
    )


def fold(name: str) -> str:
    """Return the key by which two spellings of a name are compared."""
    return anyascii(name).casefold()


@cache
def names_of(source: Source, label: str) -> list[str]:
    """Return a source's clean romanised names in the order in which they are written."""
    raw = read(source)
    given = set(read(source, given=True))
    if sum(name in given for name in raw) > MAX_GIVEN_SHARE * len(raw):
        raise SystemExit(f"{label}: {source} holds mostly given names")
    names = [tidy(spelling) for name in raw for spelling in romanise(name.strip(), label)]
    homes = {} if label in SMALL_SETS else HOMES  # they share short names with their neighbours
    strangers = {fold(n) for home, text in homes.items() if home != label for n in text.split()}
    drop = re.compile(DROPS.get(label, r"(?!)"))
    kept = [n for n in names if is_name(n) and not drop.search(n) and fold(n) not in strangers]
    kept = [name for name in kept if re.search(source.keep, name)]
    return kept if source.ranked else sorted(kept)


def related(label: str) -> set[str]:
    """Return the labels whose names are no evidence against this label, itself among them."""
    return {label}.union(*(family for family in FAMILIES if label in family))


def foreign(label: str, built: dict[str, list[str]]) -> set[str]:
    """Return the keys of the names that are native elsewhere and not known as native here."""
    near = related(label)
    lists: list[Iterable[str]] = [built[other] for other in built if other not in near]
    lists += [
        names_of(source, other)
        for other, sources in LABELS.items()
        for source in sources
        if other not in near and not source.country
    ]
    return {fold(name) for names in lists for name in names}


def build(label: str, built: dict[str, list[str]]) -> tuple[list[str], list[int]]:
    """Return a label's names and how many of them each of its sources added."""
    abroad = foreign(label, built) - {fold(name) for name in CORES.get(label, "").split()}
    names: dict[str, str] = {}  # by key: one spelling of a name stands for its variants
    counts = []
    for source in LABELS[label]:
        new: dict[str, str] = {}
        for name in names_of(source, label):
            key = fold(name)
            if key not in names and not (source.country and key in abroad):
                new.setdefault(key, name)
        room = CAP - len(names)
        if len(new) > room:  # evenly spaced, so that no part of the alphabet goes
            keys = list(new)
            new = {key: new[key] for key in (keys[i * len(keys) // room] for i in range(room))}
        counts.append(len(new))
        names |= new
    return list(names.values()), counts


def main() -> None:
    """Build every label, refuse a short one, write the files and print the counts."""
    parser = argparse.ArgumentParser(description="Build the surname lists.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "names")
    out: Path = parser.parse_args().out
    built: dict[str, list[str]] = {}
    rows = {}
    for label, sources in LABELS.items():
        built[label], counts = build(label, built)
        if len(built[label]) < (SMALL_MINIMUM if label in SMALL_SETS else MINIMUM):
            raise SystemExit(f"{label}: only {len(built[label])} names")
        rows[label] = ", ".join(
            " ".join(filter(None, (s.package, s.locale, s.attr, str(count))))
            for s, count in zip(sources, counts, strict=True)
        )
    out.mkdir(parents=True, exist_ok=True)
    for stale in {path.stem for path in out.glob("*.txt")} - built.keys():
        (out / f"{stale}.txt").unlink()
    for label in sorted(built):
        temporary = out / f".{label}.tmp"
        temporary.write_text("\n".join(built[label]) + "\n", encoding="utf-8", newline="\n")
        temporary.replace(out / f"{label}.txt")  # never leave half a file
        print(f"{label}\t{len(built[label])}\t{rows[label]}")


if __name__ == "__main__":
    main()
