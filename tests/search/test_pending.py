"""Searches that are read and compared together find what each finds alone."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from reeltune import Hit, Library
from reeltune.errors import ConfigError, NotInLibraryError
from reeltune.search.encoder import FEW
from reeltune.search.pending import Pending, compare, read
from reeltune.search.store import gallery


@pytest.fixture(params=[False, True], ids=["in memory", "on disk"])
def opened(
    request: pytest.FixtureRequest, library: Path, monkeypatch: pytest.MonkeyPatch
) -> Library:
    if request.param:
        monkeypatch.setattr(gallery.Gallery.__init__, "__defaults__", (0,))
    opened = Library(library)
    assert opened.gallery.on_disk == request.param
    return opened


def test_together_they_find_what_each_finds_alone(opened: Library) -> None:
    (first, second), wishes = opened.search("a red car", k=2), {"k": 7, "fold": False}
    asked = [
        opened.begin("a red car"),
        opened.begin("a blue sea + a dog - people", k=2),
        opened.begin(like=first.id),
        opened.begin("a red car", like=second.id, without=["a dog"], k=150),
        opened.begin("a dog", where="start > 0"),
        opened.begin("a dog", inside=first.location, between=(0, 1)),
        *(opened.begin(f"a car of {number} doors", **wishes) for number in range(FEW)),
    ]
    alone = [Pending(one.finder, one.terms, one.ask).hits() for one in asked]
    read(asked)
    compare(asked)
    for one, expected in zip(asked, alone, strict=True):
        assert_same(one.hits(), expected)


def test_one_that_is_wrong_says_so_and_leaves_the_others_alone(opened: Library) -> None:
    right, wrong, empty = opened.begin("a car"), opened.begin(like="0" * 32), opened.begin("a - ''")
    for some in ([wrong, right], [right, empty], []):
        read(some)
        compare(some)
    assert_same(right.hits(), opened.search("a car"))
    with pytest.raises(NotInLibraryError, match="no moment"):
        wrong.hits()


def test_a_search_for_nothing_does_not_begin(opened: Library) -> None:
    with pytest.raises(ConfigError, match="something that counts"):
        opened.begin()
    with pytest.raises(ConfigError, match="words that are said"):
        opened.begin("a car", channels=["said"])


def assert_same(found: Sequence[Hit], expected: Sequence[Hit]) -> None:
    assert [hit.id for hit in found] == [hit.id for hit in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-6)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-5)
