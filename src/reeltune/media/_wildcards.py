"""Bounds the time that a pattern of .gitignore takes: a stranger may write patterns and names.

A regular expression for `*a*a*a*b` tries every way to spread a long name over its stars. Yet all
stars of a name but the last may take as little as they can, as the rest then has most to match in;
so those need no second try, and what remains is counted.
"""

import re

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

STAR, ANY_FOLDERS = "[^/]*", ".+"  # in the expressions that pathspec makes
MOST = 2  # places in a pattern of which each may be tried anew for each place of the others
# One character that is matched, within a name: an escaped or plain one, a set, or `?`.
ATOM = r"(?:\\.|[^\\\[\]()*+?./^$|]|\[(?!\^)(?:\\.|[^\\\]])+\]|\[\^/\](?![*+]))"
NEXT_STAR = re.escape(STAR)
BETWEEN_STARS = re.compile(rf"{NEXT_STAR}({ATOM}+)(?={NEXT_STAR})")
STARS = re.compile(rf"(?:{NEXT_STAR}){{2,}}")


def pattern_of(line: str) -> GitIgnoreSpecPattern:
    """The pattern in a line; raises ValueError or re.error for none, or one that takes too long."""
    read = GitIgnoreSpecPattern(line)
    if read.regex is None:  # a blank line or a comment
        return read
    bounded = BETWEEN_STARS.sub(r"(?>[^/]*?\1)", STARS.sub(STAR, read.regex.pattern))
    if _choices(bounded) > MOST:
        raise ValueError(f"{line!r} has more than {MOST} wildcards that are tried in turn")
    return GitIgnoreSpecPattern(re.compile(bounded), read.include)


def _choices(expression: str) -> int:
    """Wildcards that may be tried anew: `**`, and stars before another one in the same name."""
    names = expression.replace("[^/]*?", "").replace(STAR, "\0").replace("[^/]", "?").split("/")
    return expression.count(ANY_FOLDERS) + sum(max(0, name.count("\0") - 1) for name in names)
