"""Searches of many clients at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from reeltune import Library


def test_searches_that_come_at_once_find_what_each_finds_alone(
    server: httpx.Client, library: Path
) -> None:
    words = [f"a {color} {what}" for color in ("red", "blue") for what in ("car", "dog", "sea")]
    with ThreadPoolExecutor(24) as pool:
        asked = [pool.submit(server.post, "/api/search", json={"words": one}) for one in words * 4]
    alone = {one: Library(library).search(one) for one in words}
    for one, answer in zip(words * 4, asked, strict=True):
        hits = answer.result().json()["hits"]
        assert [hit["id"] for hit in hits] == [hit.id for hit in alone[one]]
        scores = [hit.score for hit in alone[one]]
        assert [hit["score"] for hit in hits] == pytest.approx(scores, abs=1e-5)
