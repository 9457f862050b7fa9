"""Filters on the columns of a file, in a small part of SQL that is checked word by word."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from reeltune.errors import ConfigError
from reeltune.media.words import require_words
from reeltune.search.store._accents import equal, has_two_forms, like, one_of
from reeltune.search.store._dates import FORMS, compared, period

COLUMNS = {  # name -> what it is in the table's words; whole numbers meet broken ones as such
    "path": "`path`",
    "start": "`start`",
    "end": "`end`",
    "duration": "`duration`",
    "width": "cast(`width` as double)",
    "height": "cast(`height` as double)",
    "size": "cast(`size` as double)",
    "date": "coalesce(`taken`, `modified`)",  # the first that is known
    "taken": "`taken`",  # by the video's own word
    "modified": "`modified`",  # the file
    "note": "`note`",
    "caption": "`caption`",
}
WORDS = frozenset(("and", "or", "not", "like", "ilike", "in", "between", "is", "null"))
TURNED = {"=": "=", "<>": "<>", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
COMPARISONS = frozenset(TURNED)
TIMES = frozenset(("date", "taken", "modified"))
TEXTS = frozenset(("path", "note", "caption"))
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>[A-Za-z_]+)"
    r"|(?P<mark><=|>=|<>|!=|[=<>(),-]))"
)
LONGEST = 2000  # characters; a parser given more is a way to exhaust it
EXAMPLE = "duration > 60 and path like '%beach%' and date >= '2026-01-01'"


def where(text: str, has_taken: bool = True) -> str:
    """Translate the filter into the table's own language; older tables have no column `taken`.

    Raises ConfigError at the first word that is neither a column, a comparison, a value nor one
    of and, or, not, like, ilike, in, between, is, null. Dates and times are UTC unless they have an
    offset.
    """
    if len(text) > LONGEST:
        raise ConfigError(f"the filter has {len(text)} characters; it may have {LONGEST}")
    require_words("the filter", text)
    tokens = list(_tokens(text))
    if not tokens:
        raise _refused(text, "is empty")
    made, place = [], 0
    while place < len(tokens):
        words, read = _Part(text, tokens[place:], has_taken).made()
        made.append(words)
        place += read
    return " ".join(made)


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
        yield kind, token if kind == "text" else token.lower()


@dataclass(frozen=True)
class _Part:
    """What is left of a filter, of which the first words are translated."""

    text: str  # the whole filter
    tokens: Sequence[tuple[str, str]]
    has_taken: bool

    def made(self) -> tuple[str, int]:
        """The first words in the table's own, and how many tokens they were."""
        for part in (self, self._turned()):
            if words := part and part._about():
                return words
        kind, token = self.tokens[0]
        return (COLUMNS[token] if kind == "column" else token), 1

    def _about(self) -> tuple[str, int] | None:
        """A comparison of the first token, if it is a column that the table does not compare so."""
        column = self._token(0, "column")
        if column in TIMES:
            return self._about_time(column)
        return self._about_text(column) if column in TEXTS else None

    def _turned(self) -> "_Part | None":
        """The filter with its column first, if a time or a text comes before it."""
        column, sign = self._token(2, "column"), self._token(1, "mark")
        if column not in TIMES | TEXTS or sign not in TURNED or not self._value(0):
            return None
        first = [self.tokens[2], ("mark", TURNED[sign]), self.tokens[0]]
        return replace(self, tokens=[*first, *self.tokens[3:]])

    def _about_time(self, column: str) -> tuple[str, int]:
        name = self._column(column)
        if self._token(1, "mark") in COMPARISONS and self._value(2):
            return compared(name, self.tokens[1][1], self._period(column, 2)), 3
        no = int(self._token(1, "word") == "not")
        verb, opens = self._token(1 + no, "word"), 2 + no
        before = "not " * no
        if verb == "between" and self._value(opens) and self._value(opens + 2):
            first, last = self._period(column, opens), self._period(column, opens + 2)
            both = f"{compared(name, '>=', first)} and {compared(name, '<=', last)}"
            return f"{before}({both})", opens + 3
        if verb == "in":
            end = opens + 1
            inside = [compared(name, "=", self._period(column, end))]
            while self._token(end + 1, "mark") == ",":
                end += 2
                inside.append(compared(name, "=", self._period(column, end)))
            return f"{before}({' or '.join(inside)}", end + 1  # what closes it comes next
        if verb in ("like", "ilike"):
            raise _refused(self.text, f"compares {column}, a time, with a text by {verb}; use =")
        return name, 1

    def _about_text(self, column: str) -> tuple[str, int] | None:
        """A comparison with texts whose accents may be written in two ways, by `like`, or with a
        list; None where the table's own words will do."""
        no = int(self._token(1, "word") == "not")
        name, before, verb = COLUMNS[column], "not " * no, self._token(1 + no, "word")
        if verb in ("like", "ilike") and self._token(2 + no, "text"):
            return before + like(name, self._text(2 + no), verb == "ilike"), 3 + no
        sign = self._token(1, "mark")
        if sign in COMPARISONS and has_two_forms(self._text(2)):
            if TURNED[sign] != sign:
                self._refuse_order(column, sign, 2)
            return "not " * (sign != "=") + equal(name, self._text(2)), 3
        if verb == "between":
            for place in (2 + no, 4 + no):
                if has_two_forms(self._text(place)):
                    self._refuse_order(column, verb, place)
        places = self._listed(3 + no) if verb == "in" else []
        if not places:
            return None
        inside = one_of(name, [self._text(place) for place in places])
        return f"{before}({inside}", places[-1] + 1  # what closes it comes next

    def _listed(self, first: int) -> list[int]:
        """Places of the texts between commas from a place on."""
        found = [first] if self._token(first, "text") else []
        while found and self._token(found[-1] + 1, "mark") == ",":
            if not self._token(found[-1] + 2, "text"):
                return []
            found.append(found[-1] + 2)
        return found

    def _text(self, place: int) -> str:
        """What the quotes at a place hold; empty if there are none."""
        return self._token(place, "text")[1:-1].replace("''", "'")

    def _refuse_order(self, column: str, sign: str, place: int) -> NoReturn:
        given = self._token(place, "text")
        raise _refused(
            self.text,
            f"compares {column} with {given} by {sign}, whose order hangs on how accents are "
            "stored; use =, in or like",
        )

    def _column(self, name: str) -> str:
        if self.has_taken:
            return COLUMNS[name]
        if name == "taken":
            raise _refused(
                self.text, "is about times of taking, which the library has from its next run on"
            )
        return COLUMNS["modified"]

    def _token(self, place: int, kind: str) -> str:
        """The token at a place, if it is there and of that kind, else an empty text."""
        token = self.tokens[place] if place < len(self.tokens) else ("", "")
        return token[1] if token[0] == kind else ""

    def _value(self, place: int) -> str:
        return self._token(place, "text") or self._token(place, "number")

    def _period(self, column: str, place: int) -> tuple[int, int]:
        value = self._value(place)
        try:
            return period(value.strip("'"))
        except ValueError:
            got = value or "nothing"
            raise _refused(
                self.text, f"compares {column} with {got}, which is no date; write {FORMS}"
            ) from None


def _refused(text: str, why: str) -> ConfigError:
    return ConfigError(
        f"the filter {text!r} {why}; columns are {', '.join(COLUMNS)}, for example: {EXAMPLE}"
    )
