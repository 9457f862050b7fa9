"""Text that people write, or save out of spreadsheets and editors, in whatever encoding they name.

Nothing is guessed: text is UTF-8 unless the file itself begins with the mark of another encoding,
and what is not gets an error that says where.
"""

import codecs
from pathlib import Path
from typing import Literal

from reeltune.errors import DataError, in_short
from reeltune.storage.regular_file import read_bytes

MARKS = {  # at the start of a file; the marks of UTF-32 begin as those of UTF-16 do
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",  # "Unicode text" of Excel and Notepad
    codecs.BOM_UTF16_BE: "utf-16",
}
ZIP = b"PK\x03\x04"  # workbooks of Excel and LibreOffice are ZIP archives
LEGACY = "cp1252"  # what Windows in the West writes where it does not write UTF-8
SAVE = "save it as UTF-8 (in Excel, as CSV UTF-8)"
AROUND = 20  # characters that are shown before a byte that is wrong


def read_text(path: Path, remedy: str) -> str:
    """The text of a file, whose lines end in a line feed whatever ends them in the file.

    Errors: `DataError` with the path, what is wrong and the `remedy`.
    """
    try:
        content = read_bytes(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({in_short(error)}); {remedy}") from error
    try:
        return decoded(content)
    except ValueError as error:
        raise DataError(f"{path} cannot be read as text ({error}); {SAVE}; {remedy}") from error


def decoded(content: bytes, errors: Literal["strict", "surrogateescape"] = "strict") -> str:
    """The text in the bytes of a file, as `read_text` gives it; `surrogateescape` lets bytes pass
    that are not UTF-8, for names of files.

    Errors: `ValueError` that says in one line what is no text.
    """
    encoding = next((MARKS[mark] for mark in MARKS if content.startswith(mark)), "utf-8")
    if content.startswith(ZIP):
        raise ValueError("it is a workbook or another ZIP archive")
    if b"\0" in content and encoding.startswith("utf-8"):
        raise ValueError("it has bytes of zero, as UTF-16 has where no mark at the start names it")
    try:
        text = content.decode(encoding, errors if encoding.startswith("utf-8") else "strict")
    except UnicodeDecodeError as error:
        raise ValueError(_fault(error)) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _fault(error: UnicodeDecodeError) -> str:
    """Where the first wrong byte is, and what was perhaps meant by it."""
    name = error.encoding.upper()
    if name != "UTF-8":
        return f"its first bytes say {name}, and what follows is not"
    before = error.object[: error.start].decode()
    line = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    wrong = error.object[error.start : error.start + 1]
    meant = wrong.decode(LEGACY, "ignore")
    hint = f", which Windows-1252 has for {meant!r}" if meant else ""
    return f"line {len(line)} is not UTF-8: byte 0x{wrong.hex()} after {line[-1][-AROUND:]!r}{hint}"
