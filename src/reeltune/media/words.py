"""Words that a person gives on a command line or in Python, before anything reads them."""

from collections.abc import Sequence

from reeltune.errors import ConfigError


def each_text(texts: str | Sequence[str]) -> list[str]:
    """Every text; one that stands alone is one text, and no sequence of letters."""
    return [texts] if isinstance(texts, str) else list(texts)


def require_words(what: str, words: str) -> None:
    """Raise ConfigError for words that are not UTF-8, which no tokenizer and no table can take.

    Python has bytes of a command line that are not UTF-8 as lone surrogates.
    """
    try:
        words.encode()
    except UnicodeEncodeError:
        raise ConfigError(
            f"{what} {words!r} is not UTF-8; type it in a terminal whose locale is UTF-8"
        ) from None
