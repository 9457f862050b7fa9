"""A prompt that stays open, so that a model is opened once for many searches."""

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from reeltune.cli.terminal import say
from reeltune.errors import ConfigError, ReeltuneError
from reeltune.records import Hit

NUMBER = re.compile(r"(?<!\S)#(\d{1,4})(?!\S)")
PROMPT = "search: "


def can_prompt() -> bool:
    """Whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def prompt(answer: Callable[[str], Sequence[Hit]]) -> None:
    """Answer line after line until Ctrl-D; the arrow keys bring former lines back, and `#3` is the
    third of the hits that were shown last."""
    shown: Sequence[Hit] = ()
    with suppress(ImportError):  # which has an effect on `input`, and is not there on Windows
        import readline  # noqa: F401
    say("What should be seen, said or shown? #3 finds more like hit 3, Ctrl-D ends.", err=True)
    while True:
        try:
            words = input(PROMPT)
        except EOFError:
            say("")
            return
        if not words.strip():
            continue
        try:
            shown = answer(with_ids(words, shown)) or shown
        except ReeltuneError as error:
            say(f"error: {error}", err=True)


def with_ids(words: str, shown: Sequence[Hit]) -> str:
    """A query with the ids of hits in place of their numbers; raises ConfigError for a number that
    no hit has."""

    def id_of(found: re.Match[str]) -> str:
        number = int(found[1])
        if not 1 <= number <= len(shown):
            raise ConfigError(
                f"there is no hit {number} yet; search first, and then name one of the hits"
            )
        return f"#{shown[number - 1].id}"

    return NUMBER.sub(id_of, words)
