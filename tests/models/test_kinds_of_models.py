"""Whether an object is a model of some kind is seen without computing anything."""

from typing import Any

from reeltune.types import DualEncoder, FrameEncoder, Rescored


class Costly:
    """A dual encoder whose facts may not be asked for."""

    name, dim = "costly", 4

    @property
    def pixels(self) -> Any:
        raise AssertionError("it would open a model")

    @property
    def fingerprint(self) -> str:
        raise AssertionError("it would read all weights")

    def tokenize(self, texts: Any) -> Any: ...
    def encode_text(self, tokens: Any) -> Any: ...
    def encode_video(self, frames: Any, mask: Any) -> Any: ...
    def similarity(self, text: Any, video: Any) -> Any: ...


class Named(DualEncoder):
    """One that says so itself, and sets its facts when it is built."""

    def __init__(self) -> None:
        self.name, self.dim, self.fingerprint = "named", 4, "0"


def test_nothing_is_computed() -> None:
    assert isinstance(Costly(), DualEncoder)
    assert not isinstance(Costly(), FrameEncoder)
    assert not isinstance(Costly(), Rescored)


def test_every_member_must_be_there() -> None:
    for name in ("pixels", "tokenize", "dim"):
        less = type(
            "Less", (), {k: v for k, v in vars(Costly).items() if k[0] != "_" and k != name}
        )
        assert not isinstance(less(), DualEncoder)
    assert not isinstance(object(), DualEncoder)


def test_who_inherits_is_one() -> None:
    assert isinstance(Named(), Named)  # type: ignore[abstract]
    assert not isinstance(Costly(), Named)
