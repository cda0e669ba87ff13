"""Strings that are no names: companies, e-mail addresses, URLs, phone and other numbers, markup.

All are put together here. Domains and phone numbers are those that are set aside for examples and fiction.
"""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from itertools import product

MOST = 300  # strings of a kind

# What a company is, what it does, and its legal form.
COMPANIES = (
    (
        "Global United National Northern Pacific Atlantic Premier Advanced Digital Universal First Central Modern",
        "Logistics|Consulting|Software|Insurance|Foods|Energy|Holdings|Motors|Airlines|Pharmaceuticals|Steel Works",
        "Ltd|Ltd.|Limited|Inc.|Inc|LLC|PLC|Corp.|Corporation|Group|& Co.|Partners LLP",
    ),
    (
        "Deutsche Allgemeine Vereinigte Norddeutsche Bayerische Moderne Neue Erste",
        "Versicherung|Maschinenbau|Elektrotechnik|Hausverwaltung|Spedition|Druckerei|Autohaus|Wohnungsbau|Molkerei",
        "GmbH|AG|KG|GmbH & Co. KG|e.V.|mbH|SE|UG",
    ),
    (
        "Société|Compagnie|Groupe|Entreprise|Agence|Établissements",
        "générale de transport|de distribution|immobilière du centre|de nettoyage|des eaux|industrielle|agricole",
        "SA|SARL|SAS|S.A.|S.A.R.L.|et Cie|EURL",
    ),
    (
        "Compañía|Distribuidora|Constructora|Industrias|Inmobiliaria|Transportes|Servicios",
        "del Norte|del Pacífico|nacionales|internacionales|unidas|del Sur|integrales",
        "S.A.|S.L.|SA|SL|S.A. de C.V.|y Cía.|Ltda.",
    ),
    (
        "Società|Gruppo|Impresa|Officine|Costruzioni|Cantine|Servizi",
        "italiana|meridionale|meccaniche|riunite|generali|del Nord|alimentare",
        "S.p.A.|SpA|S.r.l.|Srl|S.a.s.|e figli",
    ),
    (
        "Companhia|Distribuidora|Indústrias|Construtora|Transportes|Comércio",
        "brasileira|do Sul|reunidas|nacional|de alimentos|paulista",
        "Ltda|Ltda.|S.A.|S/A|ME|EIRELI|Lda",
    ),
    (
        "Przedsiębiorstwo|Zakład|Spółdzielnia|Hurtownia|Biuro|Fabryka",
        "budowlane|handlowe|usługowe|przemysłowe|rachunkowe|transportowe|mebli",
        "Sp. z o.o.|S.A.|spółka cywilna|s.c.|spółka jawna",
    ),
    (
        "Nederlandse Verenigde Algemene Noordelijke",
        "Verzekeringen|Bouwbedrijf|Transport|Zuivel|Drukkerij",
        "BV|B.V.|NV",
    ),
    (
        "Svenska Norska Nordiska Danska Allmänna",
        "Bygg|Fastigheter|Transport|Försäkringar|Livsmedel",
        "AB|ASA|A/S|ApS|AS",
    ),
    ("Suomen Pohjoinen Yleinen Helsingin", "rakennus|kuljetus|vakuutus|kiinteistöt|konepaja", "Oy|Oyj|Ab Oy|Ky|Tmi"),
    (
        "Česká První Moravská Všeobecná",
        "stavební|pojišťovna|obchodní|strojírny|pekárny",
        "s.r.o.|a.s.|spol. s r.o.|v.o.s.",
    ),
    (
        "Anadolu|Türkiye|Birleşik|Yeni",
        "İnşaat|Sigorta|Tekstil|Gıda|Nakliyat|Otomotiv",
        "A.Ş.|Ltd. Şti.|San. ve Tic. A.Ş.",
    ),
    (
        "Первая|Северная|Российская|Новая",
        "строительная компания|торговая компания|страховая компания",
        "ООО|ОАО|АО|ЗАО|ПАО",
    ),
    ("PT|CV", "Sumber Makmur|Maju Jaya|Karya Bersama|Cahaya Abadi|Mitra Sejahtera", "Tbk|Persero|Indonesia|Nusantara"),
    ("株式会社|有限会社|合同会社", "商事|製作所|建設|運輸|食品|印刷", "東京|大阪|日本|中央|東海"),
    ("上海|北京|深圳|中国|广州", "贸易|建筑|科技|保险|食品|物流", "有限公司|股份有限公司|集团|有限责任公司"),
)
MAILBOXES = (
    "info office support sales contact admin no-reply noreply help billing newsletter webmaster hello press jobs "
    "service orders marketing accounts kontakt buero contacto ventas ufficio vendas reception it hr test user "
    "user123 first.last firstname.lastname f.lastname name student42 shop postmaster abuse root"
)
DOMAINS = "example.com example.org example.net mail.example.com shop.example.org web.example.net company.example"
SITES = (
    "https://{}|http://www.{}|www.{}|{}|{}/login|https://{}/index.html|{}/about-us|https://www.{}/users?id=42|ftp://{}"
)
PHONES = (
    *(
        f"{form}01{n:02}"
        for form in ("+1 202-555-", "(212) 555-", "+1 (415) 555-", "303.555.", "001 617 555 ")
        for n in range(20)
    ),
    *(
        f"{form}{n}"
        for form in ("+44 1632 960", "020 7946 0", "07700 900", "(0117) 496 0")
        for n in range(111, 999, 50)
    ),
    *(f"{form} {n} {n + 7}" for form in ("01 99 00", "+33 1 99 00", "02 61 91", "06 39 98") for n in range(10, 90, 7)),
    *(
        f"{form}{n}"
        for form in ("+49 30 23125 ", "030/23125", "tel. 089 99998 ", "Tel.: 0221 4710 ")
        for n in range(101, 999, 90)
    ),
    *(
        f"{form} {n}"
        for form in ("phone", "mobile", "fax", "Telefon", "téléphone", "ext.", "extension")
        for n in range(1234, 9999, 999)
    ),
)
NUMBER_FORMS = (
    "{} | {}.50 | -{} | {} % | {}% | ${} | {} EUR | € {} | £{} | {},00 | #{} | No. {} | Nr. {} | n° {} | № {} | "
    "ID {} | ID-{} | A{} | AB-{} | {}-B | {}/2 | v{}.0 | {} kg | {} km | {} cm | {} pcs | {} years | {}th | "
    "room {} | unit {} | invoice {} | order {} | customer {} | user{} | test{} | item {} | page {} | flight {} | "
    "row {} | column {} | {}:00 | 2024-01-{} | {}.01.1999 | {}/12/2020 | 1,{} | 10^{} | 0x{} | +{} | ({}) | "
    "lot {} | batch {} | ref {} | account {}"
)
TAGS = (
    "b i p div span br script table h1 a href li ul strong em html body head title img input form button select option"
)
FIELDS = "name first_name lastName firstname surname user customer value title fullName person.name row.name data[0]"
MARKUP_OF_FIELDS = (
    '{{{{{}}}}}|${{{}}}|{{{}}}|%{}%|<{}>|[{}]|<%= {} %>|@{}|:{}|{}=|{}: null|"{}": ""|\'{}\';|{}()|$({})|SELECT {}|'
    "{} = ''|{} IS NULL|{} -->|{}\\n|function {}|var {}|print {}|class {}"
)
OTHER_MARKUP = (
    "&nbsp;|&amp;|&lt;|&gt;|&quot;|&#39;|<!-- -->|<!DOCTYPE html>|<br/>|<br />|%s|%d|{}|{0}|[]|[object Object]|"
    "[object object]|undefined undefined|null null|NULL|None|None None|<NA>|<null>|(null)|\\N|\\n|\\t|"
    "---|...|--|=A1|=SUM(A1:A2)|#REF!|#NAME?|#VALUE!|#DIV/0!|'; DROP TABLE users; --|1=1|false|FALSE|"
    "<script>alert(1)</script>|javascript:void(0)|data:text/plain|C:\\Users|/etc/passwd|../index.html|README.md|index.html|main.py|"
    "style.css|Lorem ipsum dolor|utf-8|application/json|text/html|Content-Type|GET /|HTTP/1.1|localhost|127.0.0.1|::1"
)


def make_companies() -> list[str]:
    """Return companies with their legal forms, in languages of ten countries and more."""
    per_country = -(-MOST // len(COMPANIES))
    return [name for parts in COMPANIES for name in _draw(_join(parts), per_country)]


def make_emails() -> list[str]:
    """Return e-mail addresses."""
    return _draw((f"{box}@{domain}" for box, domain in product(MAILBOXES.split(), DOMAINS.split())), MOST)


def make_urls() -> list[str]:
    """Return addresses of web pages."""
    hosts = [
        *DOMAINS.split(),
        *(f"{box}.{domain}" for box, domain in product(("blog", "api", "www2"), DOMAINS.split())),
    ]
    return _draw((form.format(host) for form, host in product(SITES.split("|"), hosts)), MOST)


def make_phones() -> list[str]:
    """Return phone numbers."""
    return _draw(PHONES, MOST)


def make_numbers() -> list[str]:
    """Return amounts, dates, codes and numbered things."""
    return _draw(
        (form.format(n) for form, n in product(NUMBER_FORMS.split(" | "), (7, 12, 25, 42, 100, 1984, 4711))), MOST
    )


def make_markup() -> list[str]:
    """Return tags, placeholders of templates, code and paths."""
    tags = [form.format(tag) for form, tag in product(("<{}>", "</{}>", "&lt;{}&gt;"), TAGS.split())]
    fields = [form.format(field) for form, field in product(MARKUP_OF_FIELDS.split("|"), FIELDS.split())]
    return [*OTHER_MARKUP.split("|"), *_draw([*tags, *fields], MOST - OTHER_MARKUP.count("|") - 1)]


KINDS: Mapping[str, Callable[[], list[str]]] = {
    "companies": make_companies,
    "emails": make_emails,
    "markup": make_markup,
    "numbers": make_numbers,
    "phones": make_phones,
    "urls": make_urls,
}


def _join(parts: tuple[str, str, str]) -> Iterable[str]:
    first, *others = (part.split("|" if "|" in part else " ") for part in parts)
    joint = "" if first[0][0] > "\u3000" else " "
    return map(joint.join, product(first, *others))


def _draw(strings: Iterable[str], n: int) -> list[str]:
    """Return n of the strings, or all if there are fewer, in an order that tells nothing."""
    return sorted(dict.fromkeys(strings), key=lambda text: sha256(text.encode()).digest())[:n]
