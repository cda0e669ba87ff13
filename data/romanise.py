"""Any spelling of a name to the one that its bearers write in Latin letters."""

import re
import unicodedata

from anyascii import anyascii

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


# Alphabets that stand for each other letter by letter: what is written in one can be written in the other.
CYRILLIC_OF = {
    "Serbian": pairs(
        "lj:љ nj:њ dž:џ a:а b:б c:ц č:ч ć:ћ d:д đ:ђ e:е f:ф g:г h:х i:и j:ј k:к l:л m:м n:н o:о p:п r:р s:с š:ш t:т "
        "u:у v:в z:з ž:ж"
    ),
    "Uzbek": pairs(
        "yo':йў o':ў g':ғ sh:ш ch:ч ye:е yo:ё yu:ю ya:я a:а b:б d:д e:е f:ф g:г h:ҳ i:и j:ж k:к l:л m:м n:н o:о p:п "
        "q:қ r:р s:с t:т u:у v:в x:х y:й z:з"
    ),
}


def to_cyrillic(name: str, label: str) -> str:
    """Return a Latin name in the Cyrillic letters of its language, or nothing if it holds letters of others."""
    table = CYRILLIC_OF[label]
    text = re.sub(r"\be", "э", name.lower()) if label == "Uzbek" else name.lower()
    letters = re.sub("|".join(map(re.escape, table)), lambda match: table[match[0]], text)
    return "" if re.search("[^ а-яёђћљњџјўғқҳ-]", letters) else letters.title()


def japanese(name: str) -> str:
    """Write a long vowel once, as people do (satou: sato), but not one over a seam (inoue)."""
    name = re.sub(r"oo|ou(?!e|chi)", "o", name)
    return re.sub(r"(?<=[yhjf])uu", "u", name)


def romanise(name: str, label: str) -> list[str]:
    """Return the Latin spellings of a name: one, but for some Korean surnames."""
    if label == "Irish":  # the h that a name takes after Ó is small
        return [re.sub(r"^Ó H([aeiouáéíóú])", lambda c: f"Ó h{c[1].upper()}", name, flags=re.IGNORECASE)]
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
    name = " ".join(re.sub("[\u2018\u2019\u02bb\u02bc`]", "'", name).split())
    if name.isupper():
        name = name.title()
    head, space, last = name.rpartition(" ")
    return head + space + last[:1].upper() + last[1:]  # "ribič", "Da silva"; "van der Berg" stays


def fold(name: str) -> str:
    """Return the key by which two spellings of a name are compared."""
    return anyascii(name).casefold()


def plain(name: str) -> str:
    """Return a name without case and joiners, by which the same spelling is found."""
    return "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf").casefold()


def n_marks(name: str) -> int:
    """Return how many letters of a spelling are not plain ones."""
    return sum(not c.isascii() for c in name)
