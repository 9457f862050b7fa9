"""Names of languages, as files and containers write them, as BCP 47 has them (RFC 5646)."""

import re
from collections.abc import Sequence

# ISO 639-1, whole.
_ALL = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv "
    "cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr "
    "ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw "
    "ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv "
    "ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr "
    "ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi "
    "yo za zh zu"
)
CODES = frozenset(_ALL.split())
# ISO 639-1: the codes of ISO 639-2 (both where there are two), and the name in English.
NAMED = {
    "ar": "ara arabic",
    "bg": "bul bulgarian",
    "bn": "ben bengali",
    "ca": "cat catalan",
    "cs": "cze ces czech",
    "cy": "wel cym welsh",
    "da": "dan danish",
    "de": "ger deu german",
    "el": "gre ell greek",
    "en": "eng english",
    "es": "spa spanish",
    "et": "est estonian",
    "eu": "baq eus basque",
    "fa": "per fas persian",
    "fi": "fin finnish",
    "fr": "fre fra french",
    "ga": "gle irish",
    "gl": "glg galician",
    "he": "heb hebrew",
    "hi": "hin hindi",
    "hr": "hrv croatian",
    "hu": "hun hungarian",
    "hy": "arm hye armenian",
    "is": "ice isl",
    "id": "ind indonesian",
    "it": "ita italian",
    "ja": "jpn japanese",
    "ka": "geo kat georgian",
    "ko": "kor korean",
    "lt": "lit lithuanian",
    "lv": "lav latvian",
    "mk": "mac mkd macedonian",
    "ms": "may msa malay",
    "nb": "nob",
    "nl": "dut nld dutch",
    "nn": "nno",
    "no": "nor norwegian",
    "pl": "pol polish",
    "pt": "por portuguese",
    "ro": "rum ron romanian",
    "ru": "rus russian",
    "sk": "slo slk slovak",
    "sl": "slv slovenian",
    "sq": "alb sqi",
    "sr": "srp serbian",
    "sv": "swe swedish",
    "ta": "tam tamil",
    "te": "tel telugu",
    "th": "tha thai",
    "tr": "tur turkish",
    "uk": "ukr ukrainian",
    "ur": "urd urdu",
    "vi": "vie vietnamese",
    "zh": "chi zho chinese",
}
SHORT = {name: code for code, names in NAMED.items() for name in names.split()}
MORE = re.compile(r"[A-Za-z]{4}|[A-Za-z]{2}|[0-9]{3}")  # a script, or a region


def tag(text: str) -> str:
    """The BCP 47 tag of a language, such as `en` for `eng` and `pt-BR` for `pt_br`, or ""."""
    first, *more = re.split("[-_]", text.strip())
    code = first.lower() if first.lower() in CODES else SHORT.get(first.lower(), "")
    if not code or not all(map(MORE.fullmatch, more)) or len(more) > 2:
        return ""
    cased = [part.title() if len(part) == 4 else part.upper() for part in more]
    return "-".join((code, *cased))


def rank(language: str, asked: Sequence[str]) -> int:
    """How far a language is from those asked for, in the order of liking; none comes first."""
    first = language.partition("-")[0]
    return asked.index(first) if first in asked else len(asked)
