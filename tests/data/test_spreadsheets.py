"""Tables as spreadsheets save them: every dialect says the same, and what is unclear is refused."""

import codecs
import csv
import io
import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data._annotations import read_csv
from reeltune.data._table import read_table
from reeltune.data.folder import Config, Line
from reeltune.errors import DataError
from reeltune.storage.text_file import decoded

ROWS = [
    ["path", "caption", "start", "end"],
    ["é.mp4", "a cat; it sleeps,\tthen\nstretches", "0.5", "1.25"],
    ["b/c.mp4", 'a "red" box', "", ""],
]
WANTED = [
    (2, "é.mp4", "a cat; it sleeps,\tthen\nstretches", 0.5, 1.25),
    (4, "b/c.mp4", 'a "red" box', 0, None),
]
SEPARATORS = (",", ";", "\t")
ENDS = ("\n", "\r\n", "\r")
CODECS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6)


def saved(
    rows: list[list[str]],
    separator: str = ",",
    end: str = "\n",
    encoding: str = "utf-8",
) -> bytes:
    """The rows as a program writes them."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue().replace("\n", end).encode(encoding)


def read(path: Path, content: bytes) -> list[tuple[object, ...]]:
    path.write_bytes(content)
    rows = read_csv(path, Line, "folder")
    return [(n, row.path, row.caption, row.start, row.end) for n, row in rows]


def refused(path: Path, content: bytes, wanted: str) -> None:
    with pytest.raises(DataError, match=re.escape(wanted)) as raised:
        read(path, content)
    assert "\n" not in str(raised.value)
    assert str(raised.value).count(str(path)) == 1


@pytest.mark.parametrize(("separator", "end", "encoding"), [*product(SEPARATORS, ENDS, CODECS)])
def test_every_dialect_says_the_same(
    tmp_path: Path, separator: str, end: str, encoding: str
) -> None:
    assert read(tmp_path / "a.csv", saved(ROWS, separator, end, encoding)) == WANTED


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_both_orders_of_bytes_are_read(tmp_path: Path, mark: bytes) -> None:
    encoding = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    assert read(tmp_path / "a.txt", mark + saved(ROWS, "\t", encoding=encoding)) == WANTED


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;"])
def test_the_first_line_may_name_the_separator(tmp_path: Path, first: str) -> None:
    found = read(tmp_path / "a.csv", f"{first}\r\n".encode() + saved(ROWS, ";", "\r\n"))
    assert found == [(number + 1, *rest) for number, *rest in WANTED]
    assert read(tmp_path / "a.csv", b"sep=|\npath|caption\na.mp4|a, b; c\n")[0][2] == "a, b; c"
    refused(tmp_path / "a.csv", b"sep=;\npath,caption\n", "line 2: there is no column path or")


def test_names_of_columns_may_be_capital_and_have_space_around(tmp_path: Path) -> None:
    content = b" Path ; CAPTION;Start;;\na.mp4;a toy;1;;\n;;;;\n ; \n"
    assert read(tmp_path / "a.csv", content) == [(2, "a.mp4", "a toy", 1, None)]
    refused(tmp_path / "a.csv", b"Path,path,caption\n", "line 1: the column path is there 2 times")


def test_a_text_in_columns_without_a_name_is_not_lost(tmp_path: Path) -> None:
    content = b"path;caption;;\na.mp4;a cat sleeps; then stretches;\n"
    refused(tmp_path / "a.csv", content, "line 2, has 1 cell more than the 2 wanted ('then str")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("3,5", 3.5), (" 0,125", 0.125), ("12,3456", 12.3456), ("1200,500", 1200.5)],
)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_decimal_commas_are_read(tmp_path: Path, given: str, wanted: float, separator: str) -> None:
    rows = [["path", "caption", "start"], ["a.mp4", "a toy", given]]
    assert read(tmp_path / "a.csv", saved(rows, separator))[0][3] == wanted


@pytest.mark.parametrize("given", ["12,345", "1,000", " 999,999"])
def test_a_comma_that_may_part_thousands_is_refused(tmp_path: Path, given: str) -> None:
    rows = [["path", "caption", "start"], ["a.mp4", "a toy", given]]
    number = given.strip()
    may = f"{number.replace(',', '.')} or {number.replace(',', '')}"
    refused(
        tmp_path / "a.csv",
        saved(rows, ";"),
        f"line 2, start: in '{number}' a comma may part thousands, so it may mean {may}; mend it",
    )


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (
            "path,caption\na.mp4,a café\n".encode("cp1252"),
            "line 2 is not UTF-8: byte 0xe9 after 'a.mp4,a caf', which Windows-1252 has for 'é'); "
            "save it as UTF-8 (in Excel, as CSV UTF-8); `reeltune datasets folder` says",
        ),
        ("path\r\rcafé".encode("latin-1"), "line 3 is not UTF-8: byte 0xe9 after 'caf'"),
        ("path,caption".encode("utf-16-le"), "it has bytes of zero, as UTF-16 has where no mark"),
        ("path,caption".encode("utf-16")[:-1], "its first bytes say UTF-16-LE, and what follows"),
        (codecs.BOM_UTF8 + b"a\xff", "line 1 is not UTF-8: byte 0xff after 'a', which"),
        (b"PK\x03\x04\x14\0", "it is a workbook or another ZIP archive); save it as UTF-8 (in Ex"),
    ],
)
def test_what_does_not_say_its_encoding_is_refused(
    tmp_path: Path, content: bytes, wanted: str
) -> None:
    refused(tmp_path / "a.csv", content, wanted)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=4), st.sampled_from(SEPARATORS))
def test_whatever_cells_hold_comes_back(rows: list[tuple[str, str]], separator: str) -> None:
    """But for space at the start of a cell, which is passed over where no tabs separate them."""
    table = [["Video", " text "], *map(list, rows)]
    content = saved(table, separator, "\r\n", "utf-16")
    found = [row for _, row in read_table(decoded(content), ["video", "text"]).rows()]
    wanted = [row for row in table[1:] if any(cell.strip() for cell in row)]
    if separator != "\t":
        wanted = [[cell.lstrip(" ") for cell in row] for row in wanted]
    assert found == wanted


@pytest.mark.parametrize("name", ["told.txt", "told.TSV", "told.csv"])
def test_a_folder_takes_the_tables_that_spreadsheets_save(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.mp4").touch()
    rows = [["Path", "Caption", "Split"], ["a.mp4", "a toy", "test"]]
    (tmp_path / name).write_bytes(saved(rows, "\t", "\r\n", "utf-16"))
    split = Config(folder=tmp_path, captions=tmp_path / name).read("test")
    assert [pair.caption for pair in split.pairs] == ["a toy"]
