"""Filters on the columns of a file, in a small part of SQL that is checked word by word."""

import re
from collections.abc import Iterator
from datetime import date, datetime

from reeltune.errors import ConfigError

COLUMNS = {  # name -> what it is in the table's words
    "path": "`path`",
    "start": "`start`",
    "end": "`end`",
    "duration": "`duration`",
    "width": "`width`",
    "height": "`height`",
    "size": "`size`",
    "date": "cast(`modified` as date)",  # the day, so that `date = '2026-01-31'` finds that day
    "modified": "`modified`",  # the moment
    "note": "`note`",
    "caption": "`caption`",
}
WORDS = frozenset(("and", "or", "not", "like", "ilike", "in", "between", "is", "null"))
COMPARISONS = frozenset(("=", "<>", "!=", "<", "<=", ">", ">="))
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z_]+)"
    r"|(?P<mark><=|>=|<>|!=|[=<>(),-]))"
)
LONGEST = 2000  # characters; a parser given more is a way to exhaust it
EXAMPLE = "duration > 60 and path like '%beach%' and date >= '2026-01-01'"


def where(text: str) -> str:
    """Translate the filter into the table's own language.

    Raises ConfigError at the first word that is neither a column, a comparison, a value nor one
    of and, or, not, like, ilike, in, between, is null. Dates and times are UTC.
    """
    if len(text) > LONGEST:
        raise ConfigError(f"the filter has {len(text)} characters; it may have {LONGEST}")
    tokens = list(_tokens(text))
    if not tokens:
        raise _refused(text, "is empty")
    return " ".join(_made(text, tokens, place) for place in range(len(tokens)))


def columns_of(text: str) -> set[str]:
    """The columns that a filter names; raises ConfigError as `where` does."""
    return {token for kind, token in _tokens(text) if kind == "column"}


def refused_by_table(text: str, error: BaseException) -> ConfigError:
    """The error to raise when every word is known and the sentence still makes no sense."""
    first = str(error).splitlines()[0].split(", /")[0]
    return _refused(text, f"makes no sense ({first[:160]})")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each token, words in lower case."""
    position = 0
    while text[position:].strip():
        match = TOKEN.match(text, position)
        if match is None:
            raise _refused(text, f"cannot be read from {text[position:].strip()[:20]!r} on")
        position = match.end()
        kind, token = str(match.lastgroup), match[str(match.lastgroup)]
        if kind == "word" and token.lower() not in WORDS:
            if token.lower() not in COLUMNS:
                raise _refused(text, f"names {token!r}, which is no column")
            kind = "column"
        yield kind, token.lower() if kind in ("word", "column") else token


def _made(text: str, tokens: list[tuple[str, str]], place: int) -> str:
    kind, token = tokens[place]
    if kind == "column":
        return COLUMNS[token]
    if kind == "text":
        column = _compared_with(tokens, place)
        if column in ("date", "modified"):
            return _time(text, column, token)
    return token


def _compared_with(tokens: list[tuple[str, str]], place: int) -> str:
    """The column to which a value belongs: that of its comparison, or else the last one before
    it."""
    if place + 2 < len(tokens) and tokens[place + 1][1] in COMPARISONS:
        kind, token = tokens[place + 2]
        return token if kind == "column" else ""
    return next((token for kind, token in reversed(tokens[:place]) if kind == "column"), "")


def _time(text: str, column: str, token: str) -> str:
    """A literal for a day or a moment, spelled out anew, so that nothing odd reaches the table."""
    given = token[1:-1]
    try:
        if column == "date":
            return f"date '{date.fromisoformat(given).isoformat()}'"
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is None:
            return f"timestamp '{moment.isoformat(' ')}'"
    except ValueError:
        pass
    form = "2026-01-31" if column == "date" else "2026-01-31 18:30"
    raise _refused(text, f"compares {column} with {token}, which is not of the form '{form}' (UTC)")


def _refused(text: str, why: str) -> ConfigError:
    return ConfigError(
        f"the filter {text!r} {why}; columns are {', '.join(COLUMNS)}, for example: {EXAMPLE}"
    )
