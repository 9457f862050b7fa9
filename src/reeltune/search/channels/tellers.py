"""Opens the channels of words that a library is to have."""

from collections.abc import Callable
from pathlib import Path

from reeltune.models.opening.sentences import Sentences
from reeltune.search.channels.channel import Teller
from reeltune.search.store.manifest import Choices


def tellers_of(choices: Choices) -> list[Teller]:
    """What finds the words that are to be found, in the order of work.

    Raises ConfigError where something needed for that is not installed, and CheckpointError where
    the sentence encoder is not.
    """
    found: list[Teller] = []
    if "said" in choices.channels:
        found.append(hearing(choices.speech))
    if "shown" in choices.channels:
        from reeltune.search.channels.shown import Shown

        found.append(Shown())
    if found:
        Sentences().require()
    return found


def read_beside(choices: Choices) -> Callable[[Path], list[Path]] | None:
    """What says which files beside a video are read with it; None where none are.

    Raises ConfigError where something needed for that is not installed.
    """
    if "said" not in choices.channels:
        return None
    from reeltune.search.channels.said import subtitles_of  # what it imports is an extra

    return subtitles_of


def hearing(speech: str | None) -> Teller:
    """What finds the words that are said, by a size of Whisper or a folder if one is named."""
    from reeltune.search.channels.said import Said  # what it imports is an extra

    return Said(speech=speech)
