"""Runs what needs Java: METEOR 1.5 and the tokeniser of the Penn Treebank.

The archives come inside pycocoevalcap. They are run here and not by its wrappers, which write
into the installed package, leave pipes open and read text in the machine's own encoding.
"""

import atexit
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import IO, cast

from reeltune.errors import ConfigError, DataError

METEOR = Path("meteor", "meteor-1.5.jar")
STANFORD = Path("tokenizer", "stanford-corenlp-3.4.1.jar")
JAVA = ["java", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Xmx2G"]
BAR = "|||"  # between the fields of METEOR's lines


def why_not() -> str | None:
    """The thing that is missing for Java to run here, with its remedy; None if nothing is."""
    if shutil.which("java") is None:
        return "there is no java on the path; install a Java runtime of version 8 or later"
    if _archives() is None:
        return "pycocoevalcap is not installed; pip install 'reeltune[captions]'"
    return None


def ptb(texts: Sequence[str]) -> list[str]:
    """Words of the Penn Treebank in lower case, one space between, punctuation left out.

    Raises ConfigError where Java cannot run.
    """
    if not texts:
        return []
    tokenizer = "edu.stanford.nlp.process.PTBTokenizer"
    command = [*JAVA, "-cp", str(_archive(STANFORD)), tokenizer, "-preserveLines", "-lowerCase"]
    given = "".join(one_line(text) + "\n" for text in texts)
    run = subprocess.run(command, input=given, capture_output=True, encoding="utf-8", check=False)
    lines = run.stdout.split("\n")[: len(texts)]
    if run.returncode or len(lines) < len(texts):
        raise DataError(
            f"the PTB tokeniser gave {len(lines)} lines for {len(texts)} sentences "
            f"({_last_line(run.stderr)}); look for characters that are no text"
        )
    left_out = set(import_module("pycocoevalcap.tokenizer.ptbtokenizer").PUNCTUATIONS)
    return [" ".join(word for word in line.split() if word not in left_out) for line in lines]


def meteor(found: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, list[float]]:
    """METEOR of the corpus, which is not the mean over segments, and of each segment; 0 to 1.

    Raises ConfigError where Java cannot run.
    """
    archive = _archive(METEOR)
    asked = [
        f" {BAR} ".join(["SCORE", *map(one_line, several), one_line(words)])
        for words, several in zip(found, references, strict=True)
    ]
    with _ASKING:
        scorer = _scorer(archive)
        try:
            counted = [_asked(scorer, line) for line in asked]
            _send(scorer, f" {BAR} ".join(["EVAL", *counted]))
            scores = [float(_answer(scorer)) for _ in range(len(counted) + 1)]
        except BaseException:  # also Ctrl-C: answers that nobody read would be taken for later ones
            _end(archive)
            raise
    return scores[-1], scores[:-1]


_ASKING = Lock()
_KEPT: dict[Path, "subprocess.Popen[str]"] = {}  # by archive; each takes seconds to start


def _scorer(archive: Path) -> "subprocess.Popen[str]":
    """The process of METEOR that is asked, another one if it has ended."""
    if archive in _KEPT and _KEPT[archive].poll() is not None:
        _end(archive)
    if archive not in _KEPT:
        _KEPT[archive] = subprocess.Popen(
            [*JAVA, "-jar", str(archive), "-", "-", "-stdio", "-l", "en", "-norm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
    return _KEPT[archive]


def _end(archive: Path) -> None:
    """End a process, so that the next question starts another."""
    scorer = _KEPT.pop(archive)
    scorer.kill()
    scorer.communicate()


@atexit.register
def _end_all() -> None:
    for archive in list(_KEPT):
        _end(archive)


def one_line(text: str) -> str:
    """The text without line breaks, and without what separates METEOR's fields."""
    return " ".join(text.replace(BAR, " ").split())


def _asked(scorer: "subprocess.Popen[str]", line: str) -> str:
    found = ""
    with suppress(BrokenPipeError):  # it has ended
        _send(scorer, line)
        found = _answer(scorer)
    if not found:
        raise DataError(f"METEOR has no answer to {line[:80]!r}; see whether java runs here")
    return found


def _send(scorer: "subprocess.Popen[str]", line: str) -> None:
    print(line, file=scorer.stdin, flush=True)


def _answer(scorer: "subprocess.Popen[str]") -> str:
    return cast(IO[str], scorer.stdout).readline().strip()


def _archives() -> Path | None:
    found = find_spec("pycocoevalcap")
    return Path(next(iter(found.submodule_search_locations or []))) if found else None


def _archive(name: Path) -> Path:
    fault, folder = why_not(), _archives()
    if fault or folder is None:
        raise ConfigError(f"{name.stem} cannot run: {fault}")
    return folder / name


def _last_line(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
