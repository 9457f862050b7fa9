"""Asks once, on the first new library of a machine, whether a better model is to be fetched."""

import json
from collections.abc import Callable
from pathlib import Path

import typer

from reeltune.cli.search_prompt import can_prompt
from reeltune.cli.terminal import say
from reeltune.models.opening.presets import DEFAULT, best_here, candidates, is_offered, presets
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.place import Place
from reeltune.storage.settings_file import read_json

REACH = 2.0  # seconds in which the hub must answer, or nothing is asked
BETTER = "better_model"  # the answer's name in the file


def model_for_new(library: Place, quiet: bool) -> str | None:
    """The preset that a person wants for a new library; None for the default.

    Nothing is asked where a script runs, the library is there, the hub does not answer, or the
    answer is known.
    """
    if quiet or not can_prompt() or (library.is_dir() and any(library.glob("*"))):
        return None
    return preferred(lambda: input("Fetch it? [y/N] "), is_offered)


def preferred(ask: Callable[[], str], offers: Callable[[str, float], bool]) -> str | None:
    """The preset by the remembered answer, or by that to `ask`; `offers` says whether the hub has
    a preset."""
    here, answer = best_here(), _remembered()
    better = here if here != DEFAULT else candidates()[0]
    if answer is None and here != DEFAULT:
        say(f"{here} is on this machine, and may find more than {DEFAULT}: --model auto", err=True)
        return None
    if answer is None and offers(better, REACH):
        answer = _asked(better, ask)
    return better if answer else None


def answers_file() -> Path:
    """The file in the user's configuration folder where answers are kept."""
    return Path(typer.get_app_dir("reeltune")) / "answers.json"


def _asked(name: str, ask: Callable[[], str]) -> bool:
    preset = presets()[name]
    say(
        f"{DEFAULT} {presets()[DEFAULT].says}. {name} {preset.says}, so it may find what "
        f"{DEFAULT} does not; it needs a download of {preset.download_mb or '?'} MB "
        f"({preset.licence}) and more time for each video. This is asked once.",
        err=True,
    )
    try:
        answer = ask().strip().lower() in ("y", "yes")
    except EOFError:
        return False
    _remember(answer)
    return answer


def _remembered() -> bool | None:
    try:
        answer = read_json(answers_file())[BETTER]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return answer if isinstance(answer, bool) else None


def _remember(answer: bool) -> None:
    file = answers_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps({BETTER: answer}).encode())
    except OSError as error:
        say(f"{file} cannot be written ({error.strerror}), so this will be asked again", err=True)
