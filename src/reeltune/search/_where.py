"""Filters on what is known of a file: a small part of SQL, checked word by word."""

import re

from reeltune.errors import ConfigError

COLUMNS = ("path", "start", "end", "duration", "width", "height", "size", "date", "note")
STORED = {"date": "modified"}  # where the column's name in the table differs
WORDS = frozenset(("and", "or", "not", "like", "ilike", "in", "between", "is", "null"))
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z_]+)"
    r"|(?P<mark><=|>=|<>|!=|[=<>(),-]))"
)
DAY = re.compile(r"'\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?'")
EXAMPLE = "duration > 60 and path like '%beach%' and date >= '2026-01-01'"


def where(text: str) -> str:
    """The same filter in the table's own words.

    Raises ConfigError at the first word that is neither a column, a comparison, a value nor one
    of and, or, not, like, in, between, is null.
    """
    made, position, dated = [], 0, False
    while text[position:].strip():
        match = TOKEN.match(text, position)
        if match is None:
            raise _refused(text, f"cannot be read from {text[position:].strip()[:20]!r} on")
        position = match.end()
        kind, token = str(match.lastgroup), match[str(match.lastgroup)]
        if kind == "word" and token.lower() not in WORDS:
            if token.lower() not in COLUMNS:
                raise _refused(text, f"names {token!r}, which is no column")
            dated = token.lower() in STORED
            token = f"`{STORED.get(token.lower(), token.lower())}`"
        elif kind == "text" and dated:
            token = _moment(text, token)
        made.append(token)
    if not made:
        raise _refused(text, "is empty")
    return " ".join(made)


def refused_by_table(text: str, error: BaseException) -> ConfigError:
    """What to tell the user when every word is known and the sentence still makes no sense."""
    first = str(error).splitlines()[0].split(", /")[0]
    return _refused(text, f"makes no sense ({first[:160]})")


def _moment(text: str, token: str) -> str:
    if not DAY.fullmatch(token):
        raise _refused(text, f"compares date with {token}, which is not of the form '2026-01-31'")
    return f"timestamp {token}"


def _refused(text: str, why: str) -> ConfigError:
    return ConfigError(
        f"the filter {text!r} {why}; columns are {', '.join(COLUMNS)}, for example: {EXAMPLE}"
    )
