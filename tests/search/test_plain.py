"""Words of strangers become one plain line."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.search.channels.plain import plain


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  two\nlines\u2028and\tmore ", "two lines and more"),
        ("\x1b[31mred\x07\x00", "[31mred"),
        ("e\u0301t\u00e9", "\u00e9t\u00e9"),
        ("\u202eturned\u2066", "turned"),
        ("half \ud800 a letter", "half a letter"),
        ("\ufeffmark of order", "mark of order"),
        (
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        ("\x0b \u00a0", ""),
    ],
)
def test_a_text_becomes_one_line_of_what_is_seen(text: str, line: str) -> None:
    assert plain(text) == line


@given(st.text(st.characters(), max_size=40))
def test_whatever_is_given_the_line_is_plain_and_stays_as_it_is(text: str) -> None:
    line = plain(text)
    assert plain(line) == line
    assert unicodedata.is_normalized("NFC", line)
    assert line == " ".join(line.split())
    hidden = {c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert hidden <= {"\u200c", "\u200d"}
    line.encode()
