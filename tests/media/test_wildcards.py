"""Patterns with bounded time match what pathspec's own expressions match, and end."""

import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from reeltune.media._wildcards import pattern_of

PIECES = ("*", "*", "*", "a", "b", "?", "/", "**", "/**/", "[ab]", "[!a]", "\\*", ".", "[", "]")
glob = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)
path = st.text("ab*./[]", min_size=1, max_size=12)


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@given(glob, st.lists(path, min_size=5, max_size=20))
def test_the_same_paths_match(line: str, paths: list[str]) -> None:
    try:
        slow = GitIgnoreSpecPattern(line)
        fast = pattern_of(line)
    except ValueError:
        assume(False)
    assert fast.include == slow.include
    for one in paths:
        assert (fast.match_file(one) is None) == (slow.match_file(one) is None), (line, one)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("*a" * 30 + "*b", "a" * 255),
        ("*?[a-z]" * 20 + "x", "a" * 255),
        ("***a***a***a***a***b", "a" * 255),
        ("a/**/a/**/b", "a/" * 500),
        ("*[!x]a*[!x]b", "a" * 255),
    ],
)
def test_no_name_takes_long(line: str, name: str) -> None:
    begun = time.perf_counter()
    assert pattern_of(line).match_file(name) is None
    assert time.perf_counter() - begun < 5, "it took centuries"


@pytest.mark.parametrize("line", ["**/a/**/b/**/c", "*[!a]*[!a]*[!a]*", "a/**/b*[!c]*[!d]*/**/f"])
def test_what_would_take_long_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="more than 2 wildcards that are tried in turn"):
        pattern_of(line)
