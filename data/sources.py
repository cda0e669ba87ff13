"""Which lists of which packages each label takes."""

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["surnames", "given_names"]

CORE = "core"  # the package name of what is written by hand: the cores and, rarer, more surnames
COMMON = "common_given_names"
GIVEN_NAMES = frozenset(["Faker", "mimesis", "@faker-js/faker", "japanese-personal-name-dataset", "habesha-names"])
MOST_OF_REGISTER = 2000  # names taken of a list that counts bearers; the rest is rare ...
MOST_OF_WIKIPEDIA = 1500  # ... or, where people are fewer, of doubtful origin


@dataclass(frozen=True)
class Source:
    """One list in one package.

    `attr` selects within the locale, `ranked` keeps the source's own order (commonest first). Of a list with a `keep`
    pattern, only the names that match it are taken, and of those the first `top`.
    """

    package: str
    locale: str = ""
    attr: str = ""
    ranked: bool = False
    keep: str = ""
    top: int | None = None
    native: bool = False  # as it is written, of a package that has Latin spellings too

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


def php(locale: str, attr: str = "lastName") -> Source:
    """Name a list of Debian's php-faker."""
    return Source("php-faker", locale, attr)


def arabic_script(countries: str) -> Source:
    """Name the surnames of arabic-name-romanizer in Arabic letters, by number of bearers; given names likewise."""
    return Source("arabic-name-romanizer", countries, ranked=True, native=True)


def kanji(script: str) -> Source:
    """Name the names of japanese-personal-name-dataset as they are written, in `kanji` or `kana`."""
    return Source("japanese-personal-name-dataset", script, ranked=True, native=True)


def register(locale: str, *, keep: str = "") -> Source:
    """Name a list of @zxcvbn-ts, a country's register of names by number of bearers."""
    return Source(f"@zxcvbn-ts/language-{locale}", ranked=True, keep=keep, top=MOST_OF_REGISTER)


def wikipedia(nations: str, *, keep: str = "", top: int = MOST_OF_WIKIPEDIA) -> Source:
    """Name the surnames of name2nat that people of some nationalities bear more than others, by number of bearers."""
    return Source("name2nat", nations, ranked=True, keep=keep, top=top)


def wikidata(countries: str, *, keep: str = "") -> Source:
    """Name the surnames of arabic-name-romanizer that people of some countries bear, by number of bearers."""
    return Source("arabic-name-romanizer", countries, ranked=True, keep=keep, top=MOST_OF_REGISTER)


# Brazil's list has many Italian and German names; these endings and letters are Portuguese.
PORTUGUESE = (
    r"^[^kwyKWY]*(?:es|eir[ao]|ão|[aeiu]nh[oa]|[^s]os|[^s]as|[^l]al|ais|eu|uz|az|ad[ao]|ed[ao]"
    r"|eixo|[aei]lho)$"
)
# Finland's register has its Swedish names as well; these shapes are Finnish.
FINNISH = r"(?i)^[hjklmnprstv]?[aeiouyäö][adeghijklmnoprstuvyäö-]*(?:nen|[aeiouyäö]s|[aeiouyäö])$"
# Armenian, Slavic and other endings among Arabs and Persians.
NOT_PERSIAN = r"^(?!.*(?:yan|ants|[^aeiou]ova?|eva?|ski|shvili|son|tti|ez)$)"
NOT_ARABIC = r"^(?!.*(?:[iy]an|ants|[^aeiou]ova?|eva?|ski|shvili|son|tti|ez)$)"
EGYPT_AND_EAST = "Egyptian Sudanese Iraqi Lebanese Syrian Palestinian Jordanian"
GULF = "Saudi Emirati Qatari Kuwaiti Yemeni Bahraini Omani"
MAGHREB = "Algerian Moroccan Tunisian Libyan"
SOUTH_AMERICA = "Argentine Chilean Colombian Uruguayan Venezuelan Peruvian Paraguayan Ecuadorian Bolivian"
CENTRAL_AMERICA = "Mexican Cuban Dominican Guatemalan Salvadoran Honduran Panamanian Nicaraguan"

# Besides its core. Which community a name belongs to is for cleaning.py to find, not for the list that holds it.
LABELS: dict[str, list[Source]] = {
    "Akan": [faker("tw_GH")],
    "Albanian": [wikipedia("Albanian")],
    "Amharic": [Source("habesha-names")],
    "Basque": [wikipedia("Basque")],
    "Bengali": [wikipedia("Bangladeshi")],
    "Burmese": [wikipedia("Burmese")],
    "Catalan": [wikipedia("Catalan")],
    "Filipino": [wikipedia("Filipino")],
    "Hausa": [faker("ha_NG")],
    "Igbo": [faker("ig_NG")],
    "Indonesian": [wikipedia("Indonesian")],
    "Khmer": [wikipedia("Cambodian")],
    "Malay": [],
    "Mongolian": [wikipedia("Mongolian")],
    "Nepali": [npm("en_NP"), wikipedia("Nepalese")],
    "Punjabi": [],
    "Sinhala": [],
    "Swahili": [],
    "Tamil": [],
    "Telugu": [],
    "Thai": [faker("en_TH")],
    "Urdu": [wikipedia("Pakistani"), wikidata("PK")],
    "Welsh": [wikipedia("Welsh")],
    "Yoruba": [faker("yo_NG"), npm("yo_NG")],
    "Zulu": [npm("zu_ZA")],
    "Vietnamese": [faker("vi_VN", ranked=True), php("vi_VN")],
    "Lithuanian": [faker("lt_LT"), wikipedia("Lithuanian", keep=r"(?:[aiuy]s|[ėe])$")],
    "Bulgarian": [wikipedia("Bulgarian", keep=r"(?:[eo]va?|[sš]k[ia])$")],
    "Hebrew": [wikipedia("Israeli")],
    "Hindi": [],
    "Persian": [wikipedia("Iranian"), wikidata("IR", keep=NOT_PERSIAN)],
    "Arabic": [
        faker("fr_DZ"), wikipedia(f"{EGYPT_AND_EAST} {GULF} {MAGHREB}"),
        wikidata("DZ MA EG TN IQ SA SY LB PS JO YE KW AE LY QA SD BH OM MR", keep=NOT_ARABIC),
    ],
    "Japanese": [Source("japanese-personal-name-dataset", "ja", ranked=True), wikipedia("Japanese")],
    "Chinese": [
        faker("zh_CN", ranked=True), faker("zh_CN", "last_romanized_names"),
        faker("zh_TW", "last_romanized_names"), npm("en_HK"), wikipedia("Chinese Taiwanese"),
    ],
    "Korean": [faker("ko_KR", ranked=True), npm("ko"), wikipedia("Korean")],
    "Turkish": [npm("tr"), mimesis("tr"), faker("tr_TR")],
    "Azerbaijani": [faker("az_AZ"), mimesis("az"), npm("az"), wikipedia("Azerbaijani")],
    "Uzbek": [npm("uz_UZ_latin"), faker("uz_UZ", "last_names_male")],
    "Kazakh": [mimesis("kk", "male"), mimesis("kk", "female")],
    "Armenian": [faker("hy_AM"), npm("hy"), wikipedia("Armenian")],
    "Georgian": [faker("ka_GE"), npm("ka_GE")],
    "Greek": [
        faker("el_GR"), npm("el"), php("el_CY"), mimesis("el", "male"), mimesis("el", "female"),
        wikipedia("Greek Cypriot"),
    ],
    "Russian": [faker("ru_RU", ranked=True), mimesis("ru", "male"), mimesis("ru", "female"), wikipedia("Russian")],
    "Ukrainian": [faker("uk_UA"), mimesis("uk", "male"), mimesis("uk", "female"), npm("uk"), wikipedia("Ukrainian")],
    "Macedonian": [faker("mk_MK"), npm("mk"), wikipedia("Macedonian", keep=r"(?:[eo]va?|sk[ia])$")],
    "Serbian": [npm("sr_RS_latin"), php("sr_Latn_RS")],
    "Croatian": [faker("hr_HR"), mimesis("hr"), php("hr_HR")],
    "Slovenian": [faker("sl_SI", ranked=True), npm("sl_SI"), php("sl_SI")],
    "Czech": [
        faker("cs_CZ"), npm("cs_CZ"), wikipedia("Czech"), php("cs_CZ", "lastNameMale"), php("cs_CZ", "lastNameFemale"),
    ],
    "Slovak": [
        faker("sk_SK"), npm("sk"), wikipedia("Slovak"), php("sk_SK", "lastNameMale"), php("sk_SK", "lastNameFemale"),
    ],
    "Polish": [
        faker("pl_PL", "male_last_names", ranked=True), npm("pl"),
        faker("pl_PL", "unisex_last_names"), register("pl"),
    ],
    "Hungarian": [faker("hu_HU", ranked=True), npm("hu"), mimesis("hu"), wikipedia("Hungarian")],
    "Romanian": [faker("ro_RO"), npm("ro"), npm("ro_MD"), wikipedia("Romanian Moldovan")],
    "Latvian": [faker("lv_LV"), npm("lv"), php("lv_LV"), wikipedia("Latvian", keep=r"(?:[sšaāeē])$")],
    "Estonian": [faker("et_EE", "last_names_est"), php("et_EE"), wikipedia("Estonian")],
    "Italian": [npm("it"), faker("it_IT"), wikipedia("Italian")],
    "Spanish": [
        faker("es_CO", ranked=True), faker("es_CL", ranked=True), faker("es_ES"), faker("es_MX"),
        faker("es_AR"), npm("es"), npm("es_MX"), mimesis("es"),
        register("es-es"), wikipedia(f"{SOUTH_AMERICA} {CENTRAL_AMERICA}"),
    ],
    "Portuguese": [
        faker("pt_PT"), faker("pt_BR"), npm("pt_PT"), npm("pt_BR"), mimesis("pt"),
        mimesis("pt-br", keep=PORTUGUESE), wikipedia("Portuguese Brazilian Angolan Mozambican", keep=PORTUGUESE),
    ],
    "French": [
        faker("fr_FR", ranked=True), faker("fr_CA"),
        npm("fr"), mimesis("fr"), wikipedia("French"),
    ],
    "German": [faker("de_DE"), faker("de_AT"), npm("de"), register("de"), wikipedia("German Austrian")],
    "Dutch": [
        faker("nl_NL"), npm("nl"), npm("nl_BE"), faker("nl_BE", ranked=True), npm("af_ZA"), wikipedia("Dutch"),
        register("nl-be"),
    ],
    "Danish": [faker("da_DK", ranked=True), mimesis("da"), npm("da"), php("da_DK")],
    "Norwegian": [faker("no_NO"), mimesis("no"), npm("nb_NO"), wikipedia("Norwegian")],
    "Swedish": [mimesis("sv"), faker("sv_SE", ranked=True), npm("sv")],
    "Icelandic": [mimesis("is", "male"), mimesis("is", "female")],
    "Finnish": [faker("fi_FI", ranked=True), mimesis("fi"), npm("fi"), php("fi_FI"), register("fi", keep=FINNISH)],
    "Irish": [faker("en_IE"), faker("ga_IE"), wikipedia("Irish", top=600)],
    "English": [
        faker("en_GB", ranked=True), faker("en_NZ", ranked=True),
        faker("en_US", ranked=True), wikipedia("English British"),
    ],
}  # fmt: skip


# Given names of labels whose surnames come from elsewhere.
GIVEN: dict[str, list[Source]] = {
    "Albanian": [wikipedia("Albanian")],
    "Basque": [wikipedia("Basque")],
    "Bengali": [wikipedia("Bangladeshi")],
    "Catalan": [wikipedia("Catalan")],
    "Indonesian": [faker("id_ID"), npm("id_ID")],
    "Khmer": [wikipedia("Cambodian")],
    "Nepali": [wikipedia("Nepalese")],
    "Swahili": [faker("sw")],
    "Thai": [wikipedia("Thai")],
    "Urdu": [faker("en_PK"), wikipedia("Pakistani")],
    "Welsh": [wikipedia("Welsh")],
    "Zulu": [faker("zu_ZA")],
}

# Lists in the scripts of the bearers, some of which no rule could romanise; given names come from the same locales.
NATIVE: dict[str, list[Source]] = {
    "Amharic": [Source("habesha-names", native=True)],
    "Arabic": [
        arabic_script("EG SA IQ SY LB PS JO YE DZ MA TN KW AE LY QA SD BH OM"),
        faker("ar_AA"), faker("ar_PS"), faker("ar_SA"), faker("ar_DZ"), mimesis("ar"), mimesis("ar-eg"),
        mimesis("ar-sy"), npm("ar"),
    ],
    "Armenian": [faker("hy_AM"), npm("hy")],
    "Bengali": [faker("bn_BD")],
    "Bulgarian": [faker("bg_BG")],
    "Chinese": [faker("zh_CN", ranked=True), mimesis("zh"), npm("zh_CN"), faker("zh_TW", ranked=True), npm("zh_TW")],
    "Georgian": [faker("ka_GE"), npm("ka_GE")],
    "Greek": [faker("el_GR"), npm("el"), php("el_CY"), mimesis("el", "male"), mimesis("el", "female")],
    "Hebrew": [faker("he_IL"), npm("he")],
    "Hindi": [faker("hi_IN")],
    "Japanese": [kanji("kanji"), kanji("kana"), mimesis("ja"), npm("ja")],
    "Kazakh": [mimesis("kk", "male"), mimesis("kk", "female")],
    "Korean": [faker("ko_KR", ranked=True), mimesis("ko"), npm("ko")],
    "Macedonian": [faker("mk_MK"), npm("mk")],
    "Nepali": [faker("ne_NP"), npm("ne")],
    "Persian": [
        arabic_script("IR"), faker("fa_IR"), mimesis("fa"), npm("fa"),
    ],
    "Russian": [faker("ru_RU", ranked=True), mimesis("ru", "male"), mimesis("ru", "female"), npm("ru")],
    "Sinhala": [faker("si_LK")],
    "Tamil": [faker("ta_IN")],
    "Thai": [faker("th_TH"), npm("th")],
    "Ukrainian": [faker("uk_UA"), mimesis("uk", "male"), mimesis("uk", "female"), npm("uk")],
    "Urdu": [arabic_script("PK"), npm("ur")],
}  # fmt: skip


def native_sources_of(label: str, kind: Kind) -> list[Source]:
    """Return the label's lists in scripts of its own, those that rank their names first."""
    lists = NATIVE.get(label, [])
    if kind == "given_names":  # of every gender, and without ranks but for those of people
        lists = list(dict.fromkeys(replace(s, attr="", ranked=s.native and s.ranked) for s in lists))
    core = Source(CORE, f"native_{kind}", ranked=True)
    return [
        core,
        *sorted((s for s in lists if kind == "surnames" or s.package != "php-faker"), key=lambda s: not s.ranked),
    ]


def sources_of(label: str, kind: Kind) -> list[Source]:
    """Return the label's lists, its core first; given names come from the locales of its surnames."""
    if kind == "surnames":
        return [Source(CORE, kind, ranked=True), Source(CORE, "more_surnames"), *LABELS[label]]
    locales = dict.fromkeys(Source(s.package, s.locale) for s in LABELS[label] if s.package in GIVEN_NAMES)
    by_hand = [Source(CORE, kind, ranked=True), Source(CORE, COMMON, ranked=True), Source(CORE, "more_given_names")]
    return [*by_hand, *locales, *GIVEN.get(label, [])]


def is_common(source: Source) -> bool:
    """Return whether the list was written by hand of common names, which stay, whether or not others have them too."""
    return is_core(source) or (source.package == CORE and source.locale == COMMON)


def is_core(source: Source) -> bool:
    """Return whether the list holds the most common names of its label, by which the others are cleaned."""
    return source.package == CORE and source.locale in ("surnames", "given_names")
