"""A worker that a file has taken over says anything it likes; the parent believes none of it."""

import json
import os
import struct
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.media._answers import Picture, line, understand
from reeltune.media._wire import BODY_LIMIT, WireError, receive, receive_raw, send

PICTURE = {"kind": "frame", "time": 1.5, "width": 4, "height": 2, "parts": [3, 2]}
INFO = {
    "kind": "info",
    "duration": 1.0,
    "width": 4,
    "height": 2,
    "frame_rate": 25.0,
    "codec": "h264",
    "container": "mov",
    "taken": None,
    "parts": [],
}


def test_a_sound_message_is_understood() -> None:
    said, parts = understand(json.dumps(PICTURE).encode(), b"abcde")
    assert isinstance(said, Picture)
    assert (said.time, parts) == (1.5, [b"abc", b"de"])


WHOLE = PICTURE | {"kind": "whole", "width": 2, "height": 1, "parts": [6]}


def test_a_whole_picture_has_three_bytes_a_pixel() -> None:
    said, parts = understand(json.dumps(WHOLE).encode(), b"abcdef")
    assert (said.width, said.height, parts) == (2, 1, [b"abcdef"])
    for change in ({"width": 3}, {"height": 2}, {"parts": [3, 3]}, {"parts": []}, {"width": 0}):
        with pytest.raises(WireError, match="malformed"):
            understand(json.dumps(WHOLE | change).encode(), b"abcdef")


@pytest.mark.parametrize(
    "change",
    [
        {"time": float("nan")},
        {"time": float("inf")},
        {"time": -1.0},
        {"time": "1.5"},
        {"time": 10**400},
        {"width": 0},
        {"width": 1 << 40},
        {"width": 1.5},
        {"width": True},
        {"parts": [5]},
        {"parts": [-1, 6]},
        {"parts": [1, 1 << 20]},
        {"parts": [1, 1]},
        {"parts": [1] * 5},
        {"parts": "ab"},
        {"kind": "shell"},
        {"path": "/etc/passwd"},
    ],
    ids=str,
)
def test_a_frame_that_is_off_in_one_field_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WireError, match=r"malformed|do not make up"):
        understand(json.dumps(PICTURE | change).encode(), b"abcde")


@pytest.mark.parametrize("missing", sorted(INFO))
def test_no_field_may_be_missing(missing: str) -> None:
    with pytest.raises(WireError, match="a message is malformed in 1 places"):
        understand(json.dumps({k: v for k, v in INFO.items() if k != missing}).encode(), b"")


@pytest.mark.parametrize("header", [b"", b"{", b"[" * 60_000, b"nan", b"\xff\xfe", b'{"kind":[]}'])
def test_what_is_no_message_is_refused(header: bytes) -> None:
    with pytest.raises(WireError, match="malformed"):
        understand(header, b"")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=9))
def test_any_value_in_any_field_is_understood_or_refused(value: object) -> None:
    for field in PICTURE:
        try:
            said, _ = understand(json.dumps(PICTURE | {field: value}).encode(), b"abcde")
        except WireError:
            continue
        assert isinstance(said, Picture)


@given(st.text(max_size=2000))
def test_text_of_a_worker_is_one_printable_line(text: str) -> None:
    shown = line(text)
    assert shown.isprintable()
    assert len(shown) <= 300


def test_terminal_commands_do_not_pass() -> None:
    refusal = {"kind": "refused", "reason": "\x1b]0;owned\x07 bad\r\nfile", "parts": []}
    said, _ = understand(json.dumps(refusal).encode(), b"")
    assert said.reason == "]0;owned bad file"


def sent(header: dict[str, Any], *parts: bytes) -> bytes:
    """One message as it goes through a pipe."""
    there, here = os.pipe()
    with os.fdopen(here, "wb") as writer:
        send(writer, header, *parts)
    with os.fdopen(there, "rb") as reader:
        return reader.read()


def heard(data: bytes) -> BinaryIO:
    """The end of a pipe from which `data` comes, and then nothing."""
    there, here = os.pipe()
    with os.fdopen(here, "wb") as writer:
        writer.write(data)
    return os.fdopen(there, "rb")


@pytest.mark.parametrize("lengths", [(1 << 31, 0), (2, BODY_LIMIT + 1)])
def test_a_message_that_claims_to_be_huge_is_not_waited_for(lengths: tuple[int, int]) -> None:
    with (
        heard(struct.pack(">II", *lengths) + b"{}") as pipe,
        pytest.raises(WireError, match=r"a message of \d+ and \d+ bytes is too long"),
    ):
        receive_raw(pipe)


@pytest.mark.parametrize("kept", [0, 3, 8, 12, -1])
def test_half_a_message_is_a_closed_connection(kept: int) -> None:
    with (
        heard(sent({"kind": "end"}, b"body")[:kept]) as pipe,
        pytest.raises(WireError, match="the other side closed the connection"),
    ):
        receive_raw(pipe)


@given(st.dictionaries(st.text(), st.integers()), st.lists(st.binary(max_size=100)))
def test_what_is_sent_is_received(header: dict[str, int], parts: list[bytes]) -> None:
    header.pop("parts", None)
    with heard(sent(header, *parts)) as pipe:
        got, bodies = receive(pipe)
    assert bodies == parts
    assert {key: got[key] for key in header} == header
