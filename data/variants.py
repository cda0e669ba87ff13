"""Other romanisations of names, by the systems that people write them in: `variants/<Label>.txt`.

Run `python data/variants.py [--out DIR]` for these alone. It reads the lists that the build has written to DIR; each
line that it writes is a name, a tab and another spelling of it, which stands in no list.
"""

import argparse
import re
import unicodedata
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from anyascii import anyascii
from romanise import fold, japanese, pairs

MOST_NAMES = {"names": 1000, "given_names": 500}  # of a label that get variants, of which the first third are in order
MOST_VARIANTS = 2  # of a name
SHORTEST = 4  # letters: what is shorter is a name in too many languages

System = Callable[[str], str]
"""Writes a name in small letters otherwise, or as it is."""


def rules(text: str) -> System:
    """Return the system that `pattern:spelling` words make, applied in order.

    Capitals in a spelling are letters that no later pattern matches; `_` is a space.
    """
    table = [(re.compile(pattern), spelling.replace("_", " ")) for pattern, spelling in pairs(text).items()]

    def write(name: str) -> str:
        for pattern, spelling in table:
            name = pattern.sub(spelling, name)
        return name.lower()

    return write


EMIGRE = rules(r"ov\b:off ev\b:eff")
SLAVIC_FRENCH = rules(
    r"shch:CHTCH ch:TCH sh:CH zh:j y(?=[aeou]):i u:ou ov\b:off ev\b:eff ([^aeiouy])in\b:\1ine skiy\b:sky"
)
SLAVIC_GERMAN = rules(r"shch:SCHTSCH ch:TSCH sh:SCH zh:SCH kh:CH ts:Z y(?=[aeou]):j i(?=[au]):j v:w sk[iy]y?\b:ski")
SLAVIC_PASSPORT = rules(r"ye:e iy\b:ii (sk)y\b:\1ii y(?=[au]):i ([aeou])y:\1i")
SLAVIC_SCHOLARLY = rules(r"y(?=[aeou]):j i(?=[au]):j iy\b:ij ([aeou])[yi]\b:\1j (sk)y\b:\1ij kh:ch ts:c")
UKRAINIAN_RUSSIAN = rules(r"skyi\b:sky kh:KH zh:ZH ch:CH sh:SH h:g ii(?=[aeu]):iy i(?=[aeu]):y y(?=[^aeiouy]):i")
UKRAINIAN_POLISH = rules(r"shch:SZCZ ch:CZ sh:SZ zh:Z ts:C kh:CH v:w skyi?\b:skyj [iy](?=[aou]):j")
BULGARIAN_OLD = rules(r"\bhr:chr y:i ov\b:off ev\b:eff dzh:dj zh:j")
YUGOSLAV = rules(r"[ćč]:CH š:SH ž:ZH đ:DJ (?<![nldg])j:y c:ts")
YUGOSLAV_ICH = rules(r"i[ćč]\b:ich đ:dj")
YUGOSLAV_FRENCH = rules(r"i[ćč]\b:itch č:tch š:ch ž:j đ:dj")
MACEDONIAN = rules(r"(?<![nldgk])j:y c(?!h):ts gj:g kj:k")
MACEDONIAN_OLD = rules(r"ski\b:sky (?<![nldgk])j:y ov\b:off ev\b:eff")

UMLAUTS = rules("ä:ae ö:oe ü:ue")
NORDIC = rules("å:aa [äæ]:ae [öø]:oe")
DUTCH_ABROAD = rules("ij:y")

KUNREI = rules("sh(?=[aeou]):sy tch:TT ch(?=[aeou]):ty j(?=[aeou]):zy shi:si chi:ti ji:zi tsu:tu fu:hu")
KOREAN_REVISED = rules(r"young:yeong sung:seong hyun:hyeon kyung:gyeong jung:jeong woo:u oo:u hee:hui ee:i \bk:g")
KOREAN_CHOSEN = rules(
    r"yeong:young seong:sung hyeon:hyun gyeong:kyung jeong:jung hui:hee ([jhs])un\b:\1oon -u\b:-woo su\b:soo"
)
KOREAN_MCCUNE = rules(r"young:yong sung:song hyun:hyon jung:chong eo:o eu:u oo:u \bg:k \bd:t \bb:p \bj:ch hee:hui")
JOINED = rules("-:")
SPACED = rules("-:_")

ARABIC_FRENCH = rules(
    r"sh:CH oo:OU (?<![aeio])u(?![aeiou]):ou (?<!d)j:dj ee:i \bal-:el_ ([aeiou])s(?=[aeiou]):\1ss w(?=[ae]):ou"
)
ARABIC_ENGLISH = rules(r"ch:sh dj:j ou:u ([aeiou])ss(?=[aeiou]):\1s \bel[\s-]:al- ([^aeiou])y\b:\1i")
ARABIC_VOWELS = rules(r"([^aeiou])i(?=[^aeiou]\b):\1e ou|oo:u ([^aeiou])i\b:\1y \bal-:al q:k gh:g dh:d mm:m")
ARABIC_EGYPTIAN = rules(r"j:g ([^aeiou])i\b:\1y \bal-:el- th:s dh:z uddin:eddin")
PERSIAN_ENGLISH = rules(r"ou:oo aei\b:aee gh:q zadeh\b:zade ss:s pur\b:poor")
PERSIAN_PLAIN = rules(r"ou|oo:u ee:i q:gh ei:ey eh\b:e ss:s ([^aeiou])y\b:\1i")
PERSIAN_FRENCH = rules(r"(?<![aeio])u:ou oo:ou sh:ch ee:i (?<!d)j:dj q:gh ([^aeiou])i\b:\1y")
URDU_ENGLISH = rules(r"uddin\b:uddeen ([^aeiou])i(?=[^aeiou]\b):\1ee ([^aeiou])u(?=[^aeiou]\b):\1oo q:k")
URDU_PLAIN = rules(r"ee:i oo:u au:aw ([bdfkmnst])\1:\1 ay\b:ai ([^aeiou])y\b:\1i q:k")

INDIC_ENGLISH = rules(r"([^aeiou])i(?=[tnrlpk]a?\b):\1ee ([^aeiou])u(?=[dnrlj]a?\b):\1oo au:ou")
INDIC_PLAIN = rules(r"ee:i oo:u aa:a w:v chh:ch x:ksh ou:au ([^aeiou])y\b:\1i")
TAMIL_TH = rules(r"([aeioun])t(?=[aeiou]):\1th zh:l ee:i oo:u sh:s")
TAMIL_T = rules(r"th:t dh:d ee:i oo:u ([^aeiou])i\b:\1y v(?=a):w")

ARMENIAN_WESTERN = rules(  # voiced and voiceless stops have changed places
    r"yan(ts)?\b:ian b:P d(?!z):T g(?!h):K p(?!h):B (?<!ru)t(?![hs]|um|ov|at|ad):D k(?!h):G"
)
ARMENIAN_FRENCH = rules(r"yan(ts)?\b:ian (?<![aeo])u:ou ch:TCH sh:CH j:dj")
ARMENIAN_RUSSIAN = rules(r"\bh: ian\b:yan dz:z")
GEORGIAN_PLAIN = rules("kh:h gh:g q:k ts(?!h):tz")
GEORGIAN_FRENCH = rules("u:ou ch:TCH sh:CH (?<!d)j:dj q:k")
GEORGIAN_GERMAN = rules(r"ch:TSCH sh:SCH v:w dze\b:dse kh:CH ts:Z")
GREEK_CLASSICAL = rules(r"idis\b:ides akis\b:akes ([ae])v(?=[aeglmrn]):\1u \bv:b \bk(?!h):c (?<!e)f:ph")
GREEK_PHONETIC = rules(r"ph:f ou:u ei:i y:i ch:h gg:ng c(?!h):k")
HEBREW_GERMAN = rules("tz|ts:Z sh:SCH v:w y(?=[aeiou]):j")
HEBREW_PLAIN = rules(r"tz:ts (?<!s)ch|kh:h ([^aeiou])y\b:\1i ([lmnst])\1:\1 ah\b:a ck:k")
HEBREW_ENGLISH = rules(r"ts:tz \bha(?=[iny]):cha ([^aeiou])i\b:\1y vi(ch|ts)\b:vitz ([^aeiou])a\b:\1ah")

TURKIC_RUSSIAN = rules(r"yev:ev q:k gh:g (?<![zskc])h:kh (?<!d)j:dzh")
AZERI_RUSSIAN = rules("ə:a x:KH q:k ğ:g c(?!h):DZH ç:CH ş:SH yev:ev gh:g (?<![zskc])h:KH (?<!d)j:DZH")
TURKIC_PLAIN = rules(r"ə:a kh:h zh:j ([aeiou])ev:\1yev")
TURKIC_EMIGRE = rules(r"ə:a y?ev\b:eff ov\b:off kh:h")
UZBEK_LATIN = rules("kh:x zh:j")
AZERI_LATIN = rules("ə:a kh:x j:c gh:g sh:s ch:c")
MONGOLIAN_PLAIN = rules("kh:h ts:c")
MONGOLIAN_RUSSIAN = rules("(?<![ckst])h:kh (?<!d)j:zh")
THAI_ROYAL = rules(r"porn:phon korn:kon v:w ee:i oo:u j:ch \bp(?![hr]):ph tt:t")
THAI_CHOSEN = rules(r"phon\b:porn kon\b:korn wat\b:vat phong\b:pong")


# Pinyin to Wade and Giles: initials and, behind them, finals; what is not listed stays.
WADE_INITIALS = pairs("zh:ch j:ch q:ch x:hs z:ts c:ts b:p d:t g:k r:j")
WADE_FINALS = pairs("ong:ung ian:ien ie:ieh ue:ueh uo:o iong:iung")
WADE_SYLLABLES = pairs(
    "yi:i you:yu yan:yen ye:yeh yong:yung yue:yueh zhi:chih chi:chih shi:shih ri:jih zi:tzu ci:tzu si:ssu ge:ko ke:ko "
    "he:ho e:o er:erh guo:kuo kuo:kuo huo:huo shuo:shuo gui:kuei kui:kuei"
)
SYLLABLE = re.compile(
    r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?"
    r"(iang|iong|uang|ang|eng|ing|ong|ian|iao|uan|uai|ai|ei|ao|ou|an|en|in|un|ia|ie|iu|ua|ue|ui|uo|er|[aeiou])(?![aeiou])"
)


def wade_giles(name: str) -> str:
    """Return a name in pinyin in the spelling of Wade and Giles, with hyphens between syllables."""
    syllables = list(SYLLABLE.finditer(name))
    if "".join(match[0] for match in syllables) != name:
        return name
    return "-".join(WADE_SYLLABLES.get(match[0]) or _wade(match[1] or "", match[2]) for match in syllables)


def _wade(initial: str, final: str) -> str:
    return WADE_INITIALS.get(initial, initial) + (final if initial in {"y", "w", ""} else WADE_FINALS.get(final, final))


# Names of the Islamic world, which are spelled by what the bearer's country reads and hears.
FAMILIES = [
    frozenset(family.split())
    for family in (
        "mohammed muhammad mohamed mohammad mohamad muhammed mohamud mouhamed muhamad mohamet",
        "ahmed ahmad ahmet",
        "hussein hussain husain husein hossein hosein houssein hussayn hoseyn",
        "yusuf yousef youssef yousuf yusef yousif yousaf",
        "ibrahim ebrahim ibraheem brahim",
        "omar umar omer",
        "othman osman usman uthman",
        "abdullah abdallah abdulla abdollah abdoullah",
        "abdul abdel abdoul abdal",
        "mahmoud mahmud mahmood mehmood",
        "mustafa mostafa moustafa mustapha mostapha",
        "khalid khaled",
        "said saeed saeid",
        "rahman rehman",
        "hassan hasan",
        "suleiman sulaiman sulayman soleiman soliman suleyman",
        "jafar jaafar djafar",
        "rashid rasheed rachid rashed",
        "karim kareem kerim",
        "sharif shareef cherif",
        "qasim kasim qassem kassem ghasem qasem",
        "faisal faysal feisal faycal",
        "zainab zaynab zeinab zeynab zaineb",
        "aisha aysha aicha ayesha aishah",
        "fatima fatimah fatema",
        "layla leila laila leyla",
    )
]
MEMBER = re.compile(rf"\b({'|'.join(sorted((name for family in FAMILIES for name in family), key=len, reverse=True))})")


def family(salt: str) -> System:
    """Return a system that puts another member of its family for such a name, also for one that others begin with."""

    def choose(match: re.Match[str]) -> str:
        others = sorted(next(family for family in FAMILIES if match[0] in family) - {match[0]})
        return others[_hash(salt + match.string) % len(others)]

    return lambda name: MEMBER.sub(choose, name)


def _hash(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:4])


ISLAMIC = [family("first"), family("second")]
SYSTEMS: dict[str, list[System]] = {
    "Arabic": [*ISLAMIC, ARABIC_FRENCH, ARABIC_ENGLISH, ARABIC_VOWELS, ARABIC_EGYPTIAN],
    "Armenian": [ARMENIAN_WESTERN, ARMENIAN_FRENCH, ARMENIAN_RUSSIAN],
    "Azerbaijani": [AZERI_RUSSIAN, TURKIC_PLAIN, AZERI_LATIN, TURKIC_EMIGRE],
    "Bengali": [INDIC_ENGLISH, INDIC_PLAIN, *ISLAMIC],
    "Bulgarian": [EMIGRE, BULGARIAN_OLD, SLAVIC_GERMAN],
    "Chinese": [wade_giles, SPACED],
    "Croatian": [YUGOSLAV_ICH, YUGOSLAV],
    "Danish": [NORDIC],
    "Dutch": [DUTCH_ABROAD],
    "Georgian": [GEORGIAN_PLAIN, GEORGIAN_FRENCH, GEORGIAN_GERMAN],
    "German": [UMLAUTS],
    "Greek": [GREEK_CLASSICAL, GREEK_PHONETIC],
    "Hebrew": [HEBREW_GERMAN, HEBREW_PLAIN, HEBREW_ENGLISH],
    "Hindi": [INDIC_ENGLISH, INDIC_PLAIN],
    "Japanese": [KUNREI],
    "Kazakh": [TURKIC_RUSSIAN, TURKIC_PLAIN, SLAVIC_PASSPORT, EMIGRE],
    "Korean": [KOREAN_REVISED, KOREAN_CHOSEN, KOREAN_MCCUNE, JOINED, SPACED],
    "Macedonian": [MACEDONIAN, MACEDONIAN_OLD],
    "Mongolian": [MONGOLIAN_PLAIN, MONGOLIAN_RUSSIAN],
    "Nepali": [INDIC_ENGLISH, INDIC_PLAIN],
    "Norwegian": [NORDIC],
    "Persian": [*ISLAMIC, PERSIAN_ENGLISH, PERSIAN_PLAIN, PERSIAN_FRENCH],
    "Punjabi": [INDIC_ENGLISH, INDIC_PLAIN],
    "Russian": [EMIGRE, SLAVIC_FRENCH, SLAVIC_GERMAN, SLAVIC_PASSPORT, SLAVIC_SCHOLARLY],
    "Serbian": [YUGOSLAV_ICH, YUGOSLAV, YUGOSLAV_FRENCH],
    "Slovenian": [YUGOSLAV_ICH],
    "Swedish": [NORDIC],
    "Tamil": [TAMIL_TH, TAMIL_T],
    "Telugu": [TAMIL_TH, INDIC_PLAIN],
    "Thai": [THAI_ROYAL, THAI_CHOSEN],
    "Turkish": [UMLAUTS],
    "Ukrainian": [UKRAINIAN_RUSSIAN, UKRAINIAN_POLISH, SLAVIC_GERMAN, SLAVIC_FRENCH],
    "Urdu": [*ISLAMIC, URDU_ENGLISH, URDU_PLAIN],
    "Uzbek": [TURKIC_RUSSIAN, TURKIC_PLAIN, UZBEK_LATIN, TURKIC_EMIGRE],
}


def vary(name: str, label: str) -> Iterator[str]:
    """Yield a Latin name as the label's systems have it, beginning with one that depends on the name."""
    systems = SYSTEMS.get(label, [])
    small = unicodedata.normalize("NFC", name).lower()
    first = _hash(name) % max(1, len(systems))
    for system in [*systems[first:], *systems[:first]]:
        written = anyascii(system(small))
        if written != small and written != fold(name):
            yield re.sub(r"(?<![\w'])[a-z]", lambda letter: letter[0].upper(), written)


# The most common Japanese surnames with a long vowel, of which the lists have no kana.
LONG_VOWELS = (
    "satou itou katou saitou gotou naitou kondou endou andou kudou sudou shindou koudou toujou kouno "
    "oota oono ooshima ookubo ootsuka ooishi ooyama ookawa oouchi oomori"
)


def long_vowels(written: str) -> Iterator[tuple[str, str]]:
    """Yield the usual spelling of a Japanese name, and those that show its long vowels (satou: Sato, Satou, Satoh)."""
    for spelling in (written, re.sub(r"(oo|ou)(?=[^aeiouyh]|$)", "oh", written)):
        if spelling != japanese(written):
            yield japanese(written).capitalize(), spelling.capitalize()


def spell_kana(kana: str) -> str:
    """Return a name in hiragana, letter by letter (さとう: satou, りょう: ryou)."""
    small = re.sub("(.)([ゃゅょ])", lambda pair: _contract(anyascii(pair[1]), anyascii(pair[2])), kana)
    small = re.sub("っ(.)", lambda c: anyascii(c[1])[0].replace("c", "t") + c[1], small)
    return anyascii(small)


def _contract(consonant: str, vowel: str) -> str:
    return consonant[:-1] + (vowel[1:] if consonant[:-1] in {"sh", "ch", "j"} else vowel)


def collect(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Return by label names and their variants, as the lists in a folder have the names."""
    kinds = {kind: _read(folder / kind) for kind in MOST_NAMES}
    known = {fold(name) for lists in kinds.values() for names in lists.values() for name in names if _is_latin(name)}
    found = {}
    for label, surnames in kinds["names"].items():
        both = set(surnames)
        lists = {
            "names": surnames,
            "given_names": [name for name in kinds["given_names"].get(label, []) if name not in both],
        }
        taken = known.copy()
        rows = [row for kind, names in lists.items() for row in _collect(names, label, MOST_NAMES[kind], taken)]
        if rows:
            found[label] = rows
    return found


def _collect(names: list[str], label: str, most: int, taken: set[str]) -> list[tuple[str, str]]:
    """Return names and their variants but for those taken, to which these are added.

    Of more names than the most, the first third are the head of the list, the others evenly thinned.
    """
    by_name: dict[str, list[str]] = {}
    for name, variant in _pairs(names, label):
        is_new = fold(variant) not in taken and len(variant) >= SHORTEST
        if is_new and len(by_name.get(name, ())) < MOST_VARIANTS:
            taken.add(fold(variant))
            by_name.setdefault(name, []).append(variant)
    spare, head = list(by_name), most // 3
    chosen = spare[:head] + _thin(spare[head:], most - head)
    return [(name, variant) for name in chosen for variant in by_name[name]]


def _pairs(names: list[str], label: str) -> Iterator[tuple[str, str]]:
    latin = {fold(name): name for name in names if _is_latin(name)}
    if label == "Japanese":
        kana = (spell_kana(name) for name in names if re.fullmatch("[ぁ-ゖ]+", name))
        for written in (*LONG_VOWELS.split(), *kana):
            for usual, spelling in long_vowels(written):
                if name := latin.get(fold(usual)):
                    yield name, spelling
    for name in latin.values():
        yield from ((name, variant) for variant in vary(name, label))


def _is_latin(name: str) -> bool:
    return unicodedata.name(name[0], "").startswith("LATIN")


def _thin(names: list[str], n: int) -> list[str]:
    return names if len(names) <= n else [names[i * len(names) // n] for i in range(n)]


def _read(folder: Path) -> dict[str, list[str]]:
    return {path.stem: path.read_text(encoding="utf-8").splitlines() for path in sorted(folder.glob("*.txt"))}


def write_variants(folder: Path) -> None:
    """Write the variants of the names in a folder beside them, and take away those of labels that have none."""
    out, found = folder / "variants", collect(folder)
    out.mkdir(exist_ok=True)
    for label, rows in found.items():
        text = "".join(f"{name}\t{variant}\n" for name, variant in rows)
        temporary = out / f".{label}.tmp"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(out / f"{label}.txt")
    for stale in {path.stem for path in out.glob("*.txt")} - found.keys():
        (out / f"{stale}.txt").unlink()
    print(f"variants: {sum(map(len, found.values()))} of {len(found)} labels")


def main() -> None:
    """Write the variants alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    write_variants(parser.parse_args().out)


if __name__ == "__main__":
    main()
