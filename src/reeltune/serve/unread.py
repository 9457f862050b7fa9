"""Refuses parameters of an address that nothing reads, such as those with a slip in their names."""

from collections.abc import Iterable, Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant

from reeltune.serve.errors import Refusal


async def refuse_unread(request: Request) -> None:
    """Raise Refusal for a parameter, or a field of a form, that the address does not have."""
    asked: Dependant = request.scope["route"].dependant
    every = [asked, *_below(asked)]
    _refuse(request.query_params, {one.alias for part in every for one in part.query_params})
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        fields = {one.alias for part in every for one in part.body_params}
        _refuse(await request.form(), fields)  # which is parsed by now


def _below(asked: Dependant) -> Iterator[Dependant]:
    for one in asked.dependencies:
        yield one
        yield from _below(one)


def _refuse(given: Iterable[str], known: set[str]) -> None:
    for name in given:
        if name not in known:
            there = f"those are {', '.join(sorted(known))}" if known else "it has none"
            raise Refusal(400, "Invalid", f"{name} is no parameter of this address; {there}")
