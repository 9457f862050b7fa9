"""Libraries with words, searched as programs and people do."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from script_tables import told
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.cli.search_prompt import with_ids
from reeltune.errors import ConfigError, LibraryError
from reeltune.search.library import Library
from reeltune.search.store.manifest import Choices, Manifest
from reeltune.search.store.table import keep, open_table

SAID = [(0.0, 0.5, "happy birthday to you"), (0.5, 1.0, "and many more")]


@pytest.fixture(scope="module")
def heard(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library in which one video speaks and another shows a word; not to be changed."""
    folder = tmp_path_factory.mktemp("heard") / "lib"
    shutil.copytree(library, folder)
    first, second, _ = contents(folder)
    told(folder, "said", {first: SAID, second: []})
    told(folder, "shown", {second: [(0.0, 1.0, "EXIT")]})
    return folder


def contents(folder: Path) -> list[str]:
    rows = open_table(folder).to_table(columns=["video", "path"]).to_pylist()
    ordered = sorted(rows, key=lambda row: row["path"])
    return list(dict.fromkeys(row["video"] for row in ordered))


def test_words_that_are_said_come_first(heard: Path) -> None:
    first = Library(heard).search("happy birthday")[0]
    assert first.said is not None
    assert first.said.text == "happy birthday to you"
    assert (first.start, first.end) == (0.0, 0.5)
    assert set(first.parts) == {"seen", "said"}


def test_what_is_seen_alone_is_searched_as_without_words(heard: Path, library: Path) -> None:
    plain, full = Library(library), Library(heard)
    for query in ("red", "a thing that is blue and big"):
        assert full.search(query, channels=["seen"]) == plain.search(query)
    picture = next(iter(plain.thumbnails([plain.search("red")[0].id]).values()))
    path = heard.parent / "picture.jpg"
    path.write_bytes(picture)
    assert full.search(image=path) == plain.search(image=path)


def test_a_library_without_words_opens_nothing_that_reads_them(library: Path) -> None:
    program = (
        "import sys, reeltune\n"
        f"print(len(reeltune.Library({str(library)!r}).search('red')))\n"
        "print([name for name in ('faster_whisper', 'ctranslate2', 'rapidocr', 'cv2', 'pysubs2')"
        " if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["3", "[]"]


def test_words_alone_need_a_library_that_has_some(library: Path, heard: Path) -> None:
    with pytest.raises(ConfigError, match=r"no video of .* has words that are said, as --in asks"):
        Library(library).search("red", channels=["said"])
    with pytest.raises(ConfigError, match="words alone are asked for by --in, and the query has"):
        Library(heard).search(image="x.jpg", channels=["said"])
    with pytest.raises(
        ConfigError, match=r"'smelt' is no channel \(--in\); take some of seen, sai"
    ):
        Library(heard).search("red", channels=["smelt"])  # type: ignore[list-item]


def test_words_that_were_looked_for_in_vain_are_no_error(library: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    shutil.copytree(library, folder)
    told(folder, "said", {video: [] for video in contents(folder)})
    Manifest.read(folder).choosing(Choices(channels=("said",))).write(folder)
    opened, plain = Library(folder), Library(library)
    assert opened.search("red", channels=["said"]) == []
    assert opened.search('"happy birthday"') == []
    assert opened.search('"happy birthday"', channels=["seen", "said"]) == []
    assert opened.search("red") == plain.search("red")
    assert opened.search("red", channels=["seen", "said"]) == plain.search("red")
    with pytest.raises(ConfigError, match=r"no video of .* has words that are shown, as --in asks"):
        opened.search("red", channels=["shown"])


def test_quotes_need_a_library_that_has_words(library: Path) -> None:
    remedy = r"asks for words that are said or shown, .* has none; .* --hear --read, or leave the q"
    with pytest.raises(ConfigError, match=remedy):
        Library(library).search('"happy birthday"')


def test_more_like_a_hit_leaves_the_hit_out(heard: Path) -> None:
    opened = Library(heard)
    one = opened.search("red")[0]
    alike = opened.search(like=one.id, fold=False)
    assert alike
    assert one.id not in [hit.id for hit in alike]
    assert opened.search(f"#{one.id}", fold=False) == alike
    with pytest.raises(LibraryError, match=r"has no moment #0{24}; take the id of a hit"):
        opened.search(like="0" * 24)


def test_terms_count_for_and_against(heard: Path) -> None:
    opened = Library(heard)
    red, blue = (
        {hit.id: hit.score for hit in opened.search(word, channels=["seen"], fold=False)}
        for word in ("red", "blue")
    )
    both = opened.search("red - blue", channels=["seen"], fold=False)
    order = [red[hit.id] - blue[hit.id] for hit in both]
    assert order == sorted(order, reverse=True)
    assert opened.search("red", without="blue", channels=["seen"], fold=False) == both
    with pytest.raises(ConfigError, match="needs something that counts for a moment"):
        opened.search("- blue")


def test_one_file_and_a_span_of_time_alone_are_searched(heard: Path) -> None:
    opened = Library(heard)
    first = opened.search("red", fold=False)[0]
    inside = opened.search("red", inside=first.location, fold=False)
    assert {hit.location for hit in inside} == {first.location}
    assert opened.search("red", inside=Path(first.location).parent) == opened.search("red")
    late = opened.search("red", between=(0.75, None), channels=["seen"], fold=False)
    assert all(hit.end > 0.75 for hit in late)
    assert opened.search("red", between=(None, -1)) == []
    with pytest.raises(LibraryError, match=r"has no file nowhere\.mp4"):
        opened.search("red", inside="nowhere.mp4")
    with pytest.raises(ConfigError, match="the time searched is from 2 to 1 s; let it end after"):
        opened.search("red", between=(2, 1))


def test_new_words_are_seen_by_the_next_search(heard: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    shutil.copytree(heard, folder)
    opened = Library(folder)
    assert "zebra" not in str(opened.search("zebra")[0].said)
    told(folder, "said", {contents(folder)[2]: [(0, 1, "look at the zebra")]})
    found = opened.search("zebra")[0].said
    assert found is not None
    assert found.text == "look at the zebra"


def test_words_that_are_lost_are_told_of(heard: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    shutil.copytree(heard, folder)
    keep(folder, Manifest.read(folder).choosing(Choices(channels=("said",))))
    opened = Library(folder)
    assert opened.remarks == []
    shutil.rmtree(folder / "texts.lance")
    (remark,) = opened.remarks
    assert remark == (
        "what is seen alone is searched: texts.lance is not there; the next index run finds all "
        "words"
    )
    done = CliRunner().invoke(app, ["search", "red", "-l", str(folder), "--json"])
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [remark]
    assert json.loads(done.stdout) == [asdict(hit) for hit in opened.search("red")]


def test_a_query_of_the_command_may_begin_with_a_minus(heard: Path) -> None:
    def run(*words: str) -> str:
        return CliRunner().invoke(app, ["search", *words, "-l", str(heard)]).output

    assert run("- red + blue") == run("blue", "--not", "red") == run("blue - red")
    assert "needs something that counts for a moment" in run("- red")
    assert "No such option: -r" in run("-red")


def test_the_command_says_why(heard: Path) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["search", *words, "-l", str(heard)])
        assert done.exit_code == 0, done.output
        return done.output

    line = run("happy birthday", "-k", "1").splitlines()[0]
    assert line.split("\t")[-1] == 'said "happy birthday to you"'
    (hit,) = json.loads(run('"happy birthday"', "--json"))
    assert hit["said"]["marks"] == [[0, 5], [6, 14]]
    assert set(hit["parts"]) == {"seen", "said"}
    (shown,) = json.loads(run("exit", "--in", "shown", "--json"))
    assert shown["shown"]["text"] == "EXIT"
    assert shown["said"] is None
    assert run("red", "--from", "0:00.2", "--to", "9", "--not", "blue", "--in", "seen")


def test_a_number_in_the_prompt_is_a_hit_that_was_shown(heard: Path) -> None:
    hits = Library(heard).search("red")
    assert with_ids("#2 + snow - #1", hits) == f"#{hits[1].id} + snow - #{hits[0].id}"
    assert with_ids("page #2b of a#1", hits) == "page #2b of a#1"
    with pytest.raises(ConfigError, match="there is no hit 9 yet; search first"):
        with_ids("#9", hits)
    with pytest.raises(ConfigError, match="there is no hit 1 yet"):
        with_ids("#1", ())


def test_a_hit_is_plain_data(heard: Path) -> None:
    hit = Library(heard).search("happy birthday")[0]
    assert json.loads(json.dumps(asdict(hit)))["said"]["text"] == "happy birthday to you"
    assert replace(hit) == hit
    assert np.isfinite(hit.score)
