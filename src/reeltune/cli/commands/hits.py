"""Commands that show, play and cut what a search finds."""

from pathlib import Path
from typing import Annotated

import typer

from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import (
    LIBRARY,
    ChannelsOption,
    DeviceOption,
    InsideOption,
    JsonOption,
    LibraryOption,
    WithoutOption,
    print_json,
)
from reeltune.cli.terminal import say
from reeltune.errors import counted

PLACE = 11  # in `--help`
app = typer.Typer()
NumberArgument = Annotated[
    int, typer.Argument(metavar="N", min=1, help="The number of a hit of the last search.")
]


@app.command()
def sheet(
    text: Annotated[str, typer.Argument(help="What should be seen, said or shown.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="The picture: .png, .jpg or .webp.")
    ] = Path("sheet.png"),
    library: LibraryOption = LIBRARY,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many moments.")] = 12,
    where: Annotated[str | None, typer.Option(help="A filter, as in `search`.")] = None,
    without: WithoutOption = None,
    channels: ChannelsOption = None,
    inside: InsideOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Draw the best moments on one picture, with times, how sure they are and why.

    What does not match well is faded. The numbers are those that `play` and `cut` take.

    Example: `reeltune sheet "a dog catches a frisbee" -o dogs.png`
    """
    from reeltune.cli.bars import Spinner
    from reeltune.cli.commands.search import span

    with Spinner(hidden=as_json):
        from reeltune.cli.contact_sheet import Answer, draw_sheet, require_place
        from reeltune.cli.kept_hits import keep_hits
        from reeltune.search.hit_fields import fields_of
        from reeltune.search.library import Library

        require_place(out)
        opened = Library(library, device)
        remarks = opened.remarks
        wishes = {"k": k, "where": where, "inside": inside, "without": without or ()}
        hits = opened.search(text, **wishes, **span(channels, None, None))  # type: ignore[arg-type]
        draw_sheet([Answer(text, hits)], opened, out)
    for remark in remarks:
        say((remark, "yellow"), err=True)
    if as_json:
        print_json({"sheet": str(out), "hits": [*map(fields_of, hits)]})
    else:
        say(f"{out}: {counted(len(hits), 'moment')}")
    keep_hits(library, text, hits)


@app.command()
def play(
    number: NumberArgument,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the command instead of running it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Open a hit of the last search in the system's player, at its moment.

    Players that can begin there are mpv, VLC and ffplay; any other begins at the beginning.

    Example: `reeltune play 2`
    """
    import shlex

    from reeltune.cli.player import command_for
    from reeltune.cli.player import play as run
    from reeltune.errors import DataError
    from reeltune.search.last_hits import recall
    from reeltune.search.times import clock
    from reeltune.storage.fetched import is_in_store

    found = recall(number)
    if is_in_store(found.video):
        raise DataError(
            f"{found.video} is in an object store, where no player can begin at a moment; cut "
            f"it out and play that: reeltune cut {number} -o clip.mp4"
        )
    command, starts_there = command_for(Path(found.video), found.start)
    if not only_print:
        run(command)
    if as_json:
        facts = {"video": str(found.video), "start": found.start, "end": found.end}
        print_json({**facts, "command": command, "starts_there": starts_there})
    elif only_print:
        say(shlex.join(command))
    else:
        here = "" if starts_there else "; the player begins at the beginning, so go there"
        say(f"{found.video} from {clock(found.start)} to {clock(found.end)}{here}")


@app.command()
def cut(
    number: NumberArgument,
    out: Annotated[Path, typer.Option("-o", "--out", help="The clip: .mp4, .mov or .mkv.")],
    exact: Annotated[
        bool, typer.Option("--exact", help="Encode anew, so that it begins at the very moment.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Cut a hit of the last search out of its video, as a file of its own.

    Without `--exact` nothing is encoded anew: that is quick and loses nothing, but the clip
    begins at the keyframe before.

    Example: `reeltune cut 2 -o catch.mp4`

    To the frame: `reeltune cut 2 -o catch.mkv --exact`
    """
    from dataclasses import asdict

    from reeltune.cli.bars import Spinner
    from reeltune.media.cut import cut as run
    from reeltune.search.last_hits import recall
    from reeltune.storage.fetched import on_disk

    found = recall(number)
    with Spinner("cutting", hidden=as_json), on_disk(found.video) as video:
        clip = run(video, found.start, found.end, out, exact=exact, force=force)
    if as_json:
        print_json(asdict(clip))
        return
    from reeltune.cli.output import show_clip

    show_clip(clip, found.start)
