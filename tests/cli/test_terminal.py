"""What is printed can be read, copied and scripted, whatever files are called."""

import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.cli.output import show_failed, show_hits, show_report
from reeltune.cli.shown_hits import clock
from reeltune.cli.terminal import say, say_lines, say_row, show, shown
from reeltune.search.report import Failed, Indexed, Report
from reeltune.search.times import seconds
from reeltune.types import Hit, Quoted

NAMES = st.text(st.characters() | st.sampled_from("[]/\\:\x1b\n\r\t\u202e\u2069שlא٣\udce9"))
BROKEN = b"caf\xe9.mp4".decode("utf-8", "surrogateescape")
HEBREW = "שלום"


class Terminal(io.StringIO):
    """A stream on which a person looks."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def seen(self) -> str:
        """What stands on it, without the styles that are our own."""
        return re.sub("\x1b\\[[0-9;]*m", "", self.getvalue())


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The standard output from now on, 60 columns wide."""
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "stdout", screen)
    return screen


def hit(path: str, **more: object) -> Hit:
    times = {"location": f"/v/{path}", "start": 0.0, "end": 2.0, "duration": 2.0}
    return Hit(**({"id": "a", "path": path, "score": 0.5, "confidence": 0.9} | times | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("Trip [dQw4w9WgXcQ].mp4", "Trip [dQw4w9WgXcQ].mp4"),
        ("a [/red] [bold] :dog:.mp4", "a [/red] [bold] :dog:.mp4"),
        ("C:\\new\\table.mp4", "C:\\new\\table.mp4"),
        ("a\nb\tc\r.mp4", "a\\nb\\tc\\r.mp4"),
        ("\x1b]0;mine\x07\x9b31m\x7f", "\\x1b]0;mine\\x07\\x9b31m\\x7f"),
        (BROKEN, "caf\\xe9.mp4"),
        ("gpj\u202e4pm.exe", "gpj\\u202e4pm.exe"),
        ("\u2066a\u2069b\u2068", "\\u2066a\\u2069b\\u2068"),
        ("in\u00advisible\u200b\ufeff", "in\\xadvisible\\u200b\\ufeff"),
        ("one\u2028two\u2029", "one\\u2028two\\u2029"),
        ("Aufnahme 9.41\u202fUhr, Füße 🐶.mp4", "Aufnahme 9.41\u202fUhr, Füße 🐶.mp4"),
        ("👩\u200d👧.mp4", "👩\u200d👧.mp4"),
        (f"v/{HEBREW}/{HEBREW}.mp4", f"v/\u2068{HEBREW}\u2069/\u2068{HEBREW}\u2069.mp4"),
        (f"{HEBREW} {HEBREW} 12.mp4", f"\u2068{HEBREW} {HEBREW}\u2069 12.mp4"),
        ("a\u200fb", "a\u2068\u200f\u2069b"),
    ],
)
def test_a_name_is_shown_with_all_that_is_in_it(name: str, seen: str) -> None:
    assert shown(name) == seen
    assert shown(name, isolate=False) == re.sub("[\u2068\u2069]", "", seen)


@given(NAMES)
def test_no_name_breaks_a_line_or_commands_a_terminal(name: str) -> None:
    seen = shown(name)
    assert len(seen.splitlines()) <= 1
    kinds = {unicodedata.category(letter) for letter in shown(name, isolate=False)}
    assert not kinds & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown(name, isolate=False)) & set(
        map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
    )
    depth = 0
    for letter in seen:
        depth += (letter == "\u2068") - (letter == "\u2069")
        assert depth in (0, 1)
        assert depth or unicodedata.bidirectional(letter) not in ("R", "AL")
    assert depth == 0


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_a_name_of_letters_and_marks_is_shown_as_it_is(name: str) -> None:
    assert shown(name, isolate=False) == name


@given(NAMES)
def test_all_that_prints_shows_a_name_as_the_function_does(name: str) -> None:
    seen = shown(name, isolate=False)
    for done in (
        lambda: say(name),
        lambda: show_failed([Failed(name, name)]),
        lambda: show_report(Report(name, [Indexed(name, 1, 1.0, note=name)])),
        lambda: show_hits([hit(name, caption=name)], name),
        lambda: say_row(name),
    ):
        printed, sys.stdout = sys.stdout, io.StringIO()
        try:
            done()
            said = sys.stdout.getvalue()
        finally:
            sys.stdout = printed
        assert seen in said
        assert not {unicodedata.category(letter) for letter in said} - {"Cc"} & {"Cs", "Zl", "Zp"}
        assert "\x1b" not in said


def test_a_cell_that_was_not_shown_is_still_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    table = Table("file", title="[red]title")
    table.add_row("\x1b[31m[bold]a" + BROKEN)
    show(table)
    said = screen.seen()
    assert "\x1b" not in said
    assert "\\x1b[31m[bold]acaf\\xe9.mp4" in said
    assert "[red]title" in said


def test_names_on_a_terminal_are_isolated_and_in_a_pipe_they_are_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = terminal(monkeypatch)
    say(f"{HEBREW}.mp4")
    assert screen.getvalue() == f"\u2068{HEBREW}\u2069.mp4\n"
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    say(f"{HEBREW}.mp4")
    assert sys.stdout.getvalue() == f"{HEBREW}.mp4\n"  # type: ignore[attr-defined]


def test_a_hit_in_a_pipe_is_one_line_with_the_path_whole_and_absolute(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = "videos/" + 40 * "a long day at the sea, " + "\n[part 3].mp4"
    show_hits([hit(path), hit("b.mp4", caption="a dog\nruns", confidence=None, similar=3)], "x")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t") for line in lines] == [
        ["0.500", "90%", "0:00.0", "0:02.0", "/v/" + path.replace("\n", "\\n")],
        ["0.500", "?", "0:00.0", "0:02.0", "/v/b.mp4", "a dog\\nruns"],
    ]


@pytest.mark.parametrize(
    ("time", "told"),
    [
        (59.94, "0:59.9"),
        (59.96, "1:00.0"),
        (119.97, "2:00.0"),
        (3599.99, "1:00:00.0"),
        (3661.25, "1:01:01.2"),
        (0.0, "0:00.0"),
    ],
)
def test_a_time_that_is_shown_has_no_60_seconds(time: float, told: str) -> None:
    assert clock(time) == told
    assert seconds(told) == pytest.approx(time, abs=0.06)


def test_one_of_a_kind_is_told_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    for copies, said in ((["a"], ", 1 copy, "), (["a", "b"], ", 2 copies, ")):
        show_report(Report("lib", copies=copies))
        assert said in capsys.readouterr().out


def test_what_is_said_about_hits_is_not_among_them(capsys: pytest.CaptureFixture[str]) -> None:
    show_hits([], "a dog")
    show_hits([], 'a "dog"', {"where": "x", "inside": None, "between": (None, 0.0)})
    show_hits([hit("a.mp4", confidence=0.01)], "a dog")
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert err.splitlines() == [
        "nothing found: the library is empty",
        "nothing found: the library is empty, or no moment passes --where and --to and what is in "
        "quotes",
        "nothing here matches well; the nearest are:",
    ]


def test_hits_on_a_terminal_are_a_table_that_folds_and_shortens_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = terminal(monkeypatch)
    path = "v/" + 10 * "abcdefghi [x] " + ".mp4"
    show_hits([hit(path, caption="a dog", similar=2)], "a dog")
    head, *lines = screen.seen().splitlines()
    assert head.split() == ["score", "sure", "from", "to", "file"]
    file = "".join(line[32:] for line in lines).replace(" ", "")
    assert file.startswith(path.replace(" ", "") + "(+2alike)"), "as it was given"
    assert file.endswith("adog")


def test_words_that_are_a_reason_stand_below_a_hit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "we [all] wish you\x1b a happy birthday"
    said = Quoted(start=1, end=2, text=text, marks=((21, 26), (27, 35)))
    found = hit("a.mp4", parts={"seen": 0.31, "said": 0.2}, said=said)
    show_hits([found], "happy birthday")
    assert capsys.readouterr().out.split("\t")[-1] == f'said "{text}"\n'.replace("\x1b", "\\x1b")
    screen = terminal(monkeypatch)
    show_hits([found], "happy birthday")
    seen = " ".join(screen.seen().split())
    assert seen.endswith('a.mp4 seen 0.31, said "we [all] wish you\\x1b a happy birthday"')
    assert "#1" in seen


def test_lines_of_a_page_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    say_lines("| a |\n|---|\n\n| [b] \x1b |")
    assert capsys.readouterr().out == "| a |\n|---|\n\n| [b] \\x1b |\n"


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
@pytest.mark.parametrize("encoding", ["", "cp1252", "ascii", "latin-1", "utf-16"])
def test_any_locale_takes_what_is_printed(locale: str, encoding: str) -> None:
    program = (
        "from reeltune.cli.options import print_json\nfrom reeltune.cli.terminal import say\n"
        f"name = {'🐶 é ' + BROKEN!a}; print_json([name]); say(name); say(name, err=True)"
    )
    names = {"LC_ALL": locale, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "0"}
    names |= {"PYTHONIOENCODING": encoding} if encoding else {}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=names, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    out = done.stdout.decode(encoding or "utf-8")
    assert json.loads(out[: out.index("]") + 1]) == ["🐶 é " + BROKEN]
    assert "caf\\xe9.mp4" in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("search x -l nowhere --json", 1, "nowhere is no library"),
        ("library verify nowhere --json", 1, "nowhere is no library"),
        ("index nowhere --json", 1, "nowhere"),
        ("search --json --k", 2, "No such option: --k"),
        ("library --json", 2, "No such option: --json"),
        ("nothing --json", 2, "No such command 'nothing'; see: "),
        ("--json", 2, "No such option: --json"),
        ("compare --json a", 2, "Missing argument"),
        ("compare a b --json", 1, "a "),
        ("search x --library= --json", 1, "argument 3 is empty"),
    ],
)
def test_an_error_is_json_where_json_was_asked_for(
    words: str, code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, words.split())
    assert done.exit_code == code, done.output
    said = json.loads(done.stdout)
    assert message in said["error"]
    assert said["exit_code"] == code
    assert said["kind"].endswith(("Error", "Option", "Parameter"))
    assert done.stderr == ""
    plain = CliRunner().invoke(app, words.replace("--json", "").split())
    if "--json" not in message and words != "--json":
        assert plain.exit_code == code
        assert plain.stderr.startswith("error: ")
        assert plain.stderr.count("\n") == 1


def test_words_after_two_dashes_are_no_options(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["search", "-l", str(tmp_path), "--", "--json"])
    assert done.stdout == ""
    assert "is no library" in done.stderr


def test_a_mistake_in_a_call_is_one_line_and_shows_what_is_in_it() -> None:
    done = CliRunner().invoke(app, ["index", "--\x1b[31m[bold]"])
    assert done.exit_code == 2
    assert done.stderr.startswith("error: No such option: --\\x1b[31m[bold]")
    assert done.stderr.count("\n") == 1
