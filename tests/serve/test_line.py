"""The line of searches, as the server has it: each is answered, and none waits for what is wrong
or slow in another."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from reeltune import Hit, Library
from reeltune.errors import NotInLibraryError
from reeltune.models.text_towers.together import MOST
from reeltune.search.pending import Pending
from reeltune.search.query import BRIEF
from reeltune.serve.line import Line


@pytest.fixture
def opened(library: Path) -> Library:
    return Library(library)


@pytest.fixture
def line() -> Iterator[Line]:
    with ThreadPoolExecutor(2) as others:
        line = Line(others)
        yield line
        line.close()


def ids(hits: list[Hit]) -> list[str]:
    return [hit.id for hit in hits]


async def asked(line: Line, library: Library, text: str | None, **wishes: Any) -> list[str]:
    return await line.search(lambda: library.begin(text, **wishes), ids)


def test_each_of_many_is_answered_as_alone(line: Line, opened: Library) -> None:
    texts = [f"a car of {number} doors" for number in range(3 * MOST)]

    async def all_at_once() -> list[list[str]]:
        return await asyncio.gather(*(asked(line, opened, text) for text in texts))

    assert asyncio.run(all_at_once()) == [ids(opened.search(text)) for text in texts]
    assert asyncio.run(asked(line, opened, "a dog")) == ids(opened.search("a dog"))


def test_errors_are_raised_where_they_belong(line: Line, opened: Library) -> None:
    def broken(_: list[Hit]) -> list[str]:
        raise RuntimeError("no page")

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(
            asked(line, opened, "a car"),
            asked(line, opened, None),  # does not begin
            asked(line, opened, None, like="0" * 32),  # is found out when it is read
            line.search(lambda: opened.begin("a car"), broken),
            asked(line, opened, "a car", k=BRIEF + 1),
            return_exceptions=True,
        )

    one, nothing, unknown, untold, many = asyncio.run(all_at_once())
    assert one == ids(opened.search("a car"))
    assert "something that counts" in str(nothing)
    assert isinstance(unknown, NotInLibraryError)
    assert isinstance(untold, RuntimeError)
    assert many == ids(opened.search("a car", k=BRIEF + 1))


def test_whoever_goes_away_is_not_answered(line: Line, opened: Library) -> None:
    begun: list[str] = []

    def begin(text: str) -> Pending:
        begun.append(text)
        return opened.begin(text)

    async def some_leave() -> list[str]:
        first = asyncio.create_task(line.search(lambda: begin("first"), ids))
        gone = [
            asyncio.create_task(line.search(lambda: begin("gone"), ids)) for _ in range(3 * MOST)
        ]
        await asyncio.sleep(0)  # all are in the line
        for task in gone:
            task.cancel()
        for task in gone:
            with suppress(asyncio.CancelledError):
                await task
        await first
        return await asked(line, opened, "last")

    assert asyncio.run(some_leave()) == ids(opened.search("last"))
    assert begun.count("gone") <= MOST


def test_after_its_end_nobody_waits(opened: Library) -> None:
    async def closed() -> None:
        with ThreadPoolExecutor(1) as others:
            line = Line(others)
            tasks = [asyncio.create_task(asked(line, opened, f"car {n}")) for n in range(3 * MOST)]
            await asyncio.sleep(0)
            line.close()
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)

    asyncio.run(closed())
