"""A prompt that stays open, so that a model is opened once for many searches."""

import sys
from collections.abc import Callable
from contextlib import suppress

from reeltune.cli.terminal import say
from reeltune.errors import ReeltuneError

PROMPT = "search: "


def can_prompt() -> bool:
    """Whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def prompt(answer: Callable[[str], None]) -> None:
    """Answer line after line until Ctrl-D; the arrow keys bring former lines back."""
    with suppress(ImportError):  # which has an effect on `input`, and is not there on Windows
        import readline  # noqa: F401
    say("What should be seen? Ctrl-D ends.", err=True)
    while True:
        try:
            words = input(PROMPT)
        except EOFError:
            say("")
            return
        if not words.strip():
            continue
        try:
            answer(words)
        except ReeltuneError as error:
            say(f"error: {error}", err=True)
