"""Commands that index videos and search them."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer
from typer.core import TyperCommand

from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import (
    LIBRARY,
    ChannelsOption,
    DeviceOption,
    FollowOption,
    InsideOption,
    JsonOption,
    LibraryOption,
    ModelOption,
    WidthOption,
    WithoutOption,
    print_json,
)
from reeltune.cli.terminal import say
from reeltune.storage.place import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reeltune.records import Hit
    from reeltune.runs.caption import Captioner
    from reeltune.search.library import Library
    from reeltune.serve.client import Client

PLACE = 10  # in `--help`
GOES_ON = ("index",)  # where they stopped, when they are called again
app = typer.Typer()
PruneOption = Annotated[
    Literal["gone", "all"] | None,
    typer.Option(help="Take out files that are gone from PATHS; =all also where most of them are."),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(help="Files to leave out, as in .gitignore; kept in the library; repeatable."),
]
SamplingOption = Annotated[
    str | None, typer.Option(help="gap S, keyframe, fps R, uniform N or shot.")
]
EverythingOption = Annotated[
    bool, typer.Option("--all", help="Also hidden files, bins, and previews of cameras.")
]
CaptionOption = Annotated[
    str | None, typer.Option(help="A model that writes captions: one for each moment.")
]
HearOption = Annotated[
    bool | None,
    typer.Option("--hear/--no-hear", help="Find what is said; kept in the library."),
]
ReadOption = Annotated[
    bool | None,
    typer.Option("--read/--no-read", help="Find text in pictures; kept in the library."),
]
SpeechOption = Annotated[
    str | None,
    typer.Option(help="A size of Whisper, a folder, or none: subtitles alone; kept too."),
]
EngineOption = Annotated[
    Literal["local", "ray"], typer.Option(help="Where files are read: here, or on a Ray cluster.")
]
AddressOption = Annotated[
    str | None, typer.Option(help="Of a Ray cluster that runs; without it, one of this machine.")
]
ServerOption = Annotated[
    str | None, typer.Option(help="Ask a `reeltune serve` instead: http://nas:8420.")
]


class Pruning(TyperCommand):
    """A command whose `--prune` may stand alone, before paths too."""

    def parse_args(self, context: Any, args: list[str]) -> Any:
        """The arguments as click parses them, once the value that is meant has been written out."""
        options = args[: args.index("--")] if "--" in args else args
        spelled = ["--prune=gone" if given == "--prune" else given for given in options]
        return super().parse_args(context, spelled + args[len(options) :])


class Querying(TyperCommand):
    """A command whose query may begin with the minus of a term, as in `- people + a dog`."""

    def parse_args(self, context: Any, args: list[str]) -> Any:
        """The arguments as click parses them, once such a minus cannot be that of an option."""
        return super().parse_args(context, [f" {a}" if a.startswith("- ") else a for a in args])


@app.command(cls=Pruning)
def index(
    paths: Annotated[list[str], typer.Argument(help="Videos, or folders of videos.")],
    library: LibraryOption = LIBRARY,
    model: ModelOption = None,
    width: WidthOption = None,
    sampling: SamplingOption = None,
    prune: PruneOption = None,
    exclude: ExcludeOption = None,
    everything: EverythingOption = False,
    follow: FollowOption = False,
    caption: CaptionOption = None,
    hear: HearOption = None,
    read: ReadOption = None,
    speech: SpeechOption = None,
    device: DeviceOption = None,
    engine: EngineOption = "local",
    address: AddressOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Make moments of videos searchable; run it again at any time to bring the library up to date.

    Example: `reeltune index ~/Videos --library holidays`

    With all that is said and written in them: `reeltune index ~/Videos --hear --read`

    With captions: `reeltune index ~/Videos --caption runs/toybox/univl-caption/seed0`
    """
    from reeltune.cli.bars import Bar
    from reeltune.cli.model_question import model_for_new

    model = model or model_for_new(library, quiet or as_json)
    with Bar(hidden=as_json) as bar:
        from reeltune.cli.output import show_report
        from reeltune.search.ingest import Choice
        from reeltune.search.ingest import index as run

        choice = Choice(
            model=model,
            width=width,
            sampling=sampling,
            prune=prune,
            exclude=tuple(exclude or ()),
            everything=everything,
            follow=follow,
            caption=None if caption is None else writer_of(caption, device),
            hear=hear,
            read=read,
            speech=speech,
            device=device,
            engine=engine,
            address=address,
        )
        report = run(paths, library, choice, bar)
    print_json(report.as_dict()) if as_json else show_report(report)
    if report.interrupted:
        raise KeyboardInterrupt
    sys.exit(report.exit_code)


def writer_of(name: str, device: str | None) -> "Captioner":
    """The model that writes captions; what should be known of it goes to the error stream."""
    from reeltune.runs.caption import Captioner

    writer = Captioner(name, device)
    for note in writer.notes():
        say(note, err=True)
    return writer


@app.command(cls=Querying)
def search(
    text: Annotated[
        str | None,
        typer.Argument(help="What should be seen, said or shown; also `a dog + snow - people`."),
    ] = None,
    library: LibraryOption = LIBRARY,
    k: Annotated[int, typer.Option("-k", min=1, help="How many moments.")] = 10,
    where: Annotated[
        str | None, typer.Option(help="Filter, e.g. \"duration > 60 and path like '%beach%'\".")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to search by.")] = None,
    video: Annotated[Path | None, typer.Option(help="A video to search by.")] = None,
    like: Annotated[str | None, typer.Option(help="The id of a moment to search by.")] = None,
    without: WithoutOption = None,
    channels: ChannelsOption = None,
    inside: InsideOption = None,
    begin: Annotated[str | None, typer.Option("--from", help="From this time on: 1:30.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Up to this time: 2:00.")] = None,
    fold: Annotated[bool, typer.Option(help="Show near-duplicates once.")] = True,
    min_confidence: Annotated[
        float, typer.Option(help="Leave out what is less sure: 0 to 1, e.g. 0.5.")
    ] = 0.0,
    sort: Annotated[
        Literal["match", "date"],
        typer.Option(help="The k best: best first, or by date, newest first."),
    ] = "match",
    server: ServerOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find the moments that match words, a picture or a video.

    Example: `reeltune search "a dog catches a frisbee" -k 5 --where "date >= '2026-01-01'"`

    Exact words that are said or shown: `reeltune search '"happy birthday"' --in said,shown`

    By captions: `reeltune search "a dog" --where "caption ilike '%frisbee%'"`

    In the library of a server: `reeltune search "a dog" --server http://nas:8420`

    Without words, a terminal shows a prompt for one search after another.
    """
    wishes = {
        "k": k,
        "where": where,
        "fold": fold,
        "min_confidence": min_confidence,
        "sort": sort,
        "inside": inside,
        "without": without or (),
    }
    given = {"text": text, "image": image, "video": video, "like": like}
    place = Searched(library, device, server)
    find(place, given, wishes | span(channels, begin, end), as_json)


def span(channels: str | None, begin: str | None, end: str | None) -> dict[str, object]:
    """What `--in`, `--from` and `--to` ask for."""
    from reeltune.search.times import seconds

    between = tuple(None if one is None else seconds(one) for one in (begin, end))
    return {"channels": [one for one in (channels or "").split(",") if one], "between": between}


class Searched(NamedTuple):
    """Where a search looks: a library here, or that of a server."""

    library: Place
    device: str | None
    server: str | None

    def opened(self) -> "Library | Client":
        """What is searched."""
        if self.server is not None:
            from reeltune.serve.client import Client

            return Client(self.server, os.environ.get("REELTUNE_TOKEN"))
        from reeltune.search.library import Library

        return Library(self.library, self.device)

    def keep(self, words: str | None, hits: "Sequence[Hit]") -> None:
        """Keep hits for `play` and `cut`, where their files are on this machine."""
        from reeltune.cli.kept_hits import keep_hits

        if self.server is None:
            keep_hits(self.library, words, hits)


def find(
    place: Searched,
    given: dict[str, Any],
    wishes: dict[str, Any],
    as_json: bool,
) -> None:
    """Search by what is given, or on a terminal by what is typed then, and print the hits."""
    from reeltune.cli.bars import Spinner
    from reeltune.cli.search_prompt import can_prompt, prompt

    with Spinner(hidden=as_json):
        from reeltune.cli.shown_hits import show_hits
        from reeltune.search.hit_fields import fields_of
        from reeltune.search.library import Library

        opened = place.opened()
        asks = {*given.values()} == {None} and can_prompt() and not as_json
        remarks = opened.remarks if isinstance(opened, Library) else []
        found = [] if asks else opened.search(**given, **wishes)
        if asks and isinstance(opened, Library):
            opened.prepare()

    def answer(words: str) -> "Sequence[Hit]":
        hits = opened.search(words, **wishes)
        show_hits(hits, words, wishes)
        place.keep(words, hits)
        return hits

    for remark in remarks:
        say((remark, "yellow"), err=True)
    if asks:
        prompt(answer)
        return
    if as_json:
        print_json([*map(fields_of, found)])
    else:
        show_hits(found, given["text"], given | wishes)
    place.keep(given["text"], found)
