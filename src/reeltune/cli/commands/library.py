"""Commands that look after a library."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import (
    LIBRARY,
    DeviceOption,
    JsonOption,
    LibraryArgument,
    LibraryOption,
    WidthOption,
    print_json,
)
from reeltune.cli.terminal import say, say_each
from reeltune.errors import counted, in_shell

PLACE = 20  # in `--help`
GOES_ON = ("reindex",)  # where it stopped, when it is called again
app = typer.Typer(name="library", no_args_is_help=True, help="Look after a library.")


@app.command("info")
def library_info(library: LibraryArgument = LIBRARY, as_json: JsonOption = False) -> None:
    """Say what is in a library and what made it. Example: `reeltune library info holidays`"""
    from reeltune.cli.output import show_facts
    from reeltune.search.holdings import info

    facts = info(library)
    print_json(facts) if as_json else show_facts(facts)


@app.command("verify")
def library_verify(library: LibraryArgument = LIBRARY, as_json: JsonOption = False) -> None:
    """Check a library; exit code 1 if it has faults. Example: `reeltune library verify holidays`"""
    from dataclasses import asdict

    from reeltune.cli.output import show_health
    from reeltune.search.maintain import verify

    health = verify(library)
    print_json(asdict(health)) if as_json else show_health(health)
    sys.exit(1 if health.faults else 0)


@app.command("repair")
def library_repair(
    library: LibraryArgument = LIBRARY,
    yes: Annotated[
        bool, typer.Option("--yes", help="Go back to an older version if nothing else helps.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Mend what `verify` finds, and keep all that can be read.

    Example: `reeltune library repair holidays`
    """
    from reeltune.search.repair import repair

    done = repair(library, go_back=yes)
    print_json(done) if as_json else say_each(done or ["nothing to mend"])


@app.command("optimize")
def library_optimize(library: LibraryArgument = LIBRARY, as_json: JsonOption = False) -> None:
    """Compact a library and index its vectors. Example: `reeltune library optimize holidays`"""
    from reeltune.cli.output import show_facts
    from reeltune.search.maintain import optimize

    facts = optimize(library)
    print_json(facts) if as_json else show_facts(facts)


@app.command("list")
def library_list(library: LibraryArgument = LIBRARY, as_json: JsonOption = False) -> None:
    """List the files of a library. Example: `reeltune library list holidays`"""
    from dataclasses import asdict

    from reeltune.cli.output import show_files
    from reeltune.search.files import list_files

    files = list_files(library)
    print_json([asdict(file) for file in files]) if as_json else show_files(files)
    if not files:
        say(
            f"{library} has no videos; bring some in: reeltune index VIDEOS --library "
            f"{in_shell(library)}",
            err=True,
        )


@app.command("texts")
def library_texts(
    library: LibraryArgument = LIBRARY,
    channel: Annotated[
        Literal["said", "shown"] | None, typer.Option(help="Only what is said, or shown.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what a library has heard and read, a phrase a line.

    Example: `reeltune library texts holidays --channel said`
    """
    from dataclasses import asdict

    from reeltune.cli.output import show_texts
    from reeltune.search.texts import list_texts, why_none

    texts = list(list_texts(library, channel))
    print_json([asdict(text) for text in texts]) if as_json else show_texts(texts)
    if not texts:
        say(why_none(library, channel), err=True)


@app.command("marks")
def library_marks(
    library: LibraryArgument = LIBRARY,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write captions there, .csv or .jsonl.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what was marked right or wrong and the captions; or make captions of it for `tune`.

    Example: `reeltune library marks holidays -o captions.csv`
    """
    from dataclasses import asdict

    from reeltune.cli.shown_marks import show_mark_captions, show_marks
    from reeltune.search.mark_captions import captions_of, require_place
    from reeltune.search.marks import placed, read_marks

    if out is not None:
        require_place(out, force)
    kept = read_marks(library)
    if out is not None:
        captions = captions_of(library, kept)
        captions.write(out)
        print_json(captions.facts() | {"bad": kept.bad}) if as_json else show_mark_captions(
            captions, out
        )
    else:
        marks = placed(library, kept.marks)
        print_json([asdict(mark) for mark in marks]) if as_json else show_marks(marks)
    if not kept.marks:
        say(
            f"no moment of {library} is marked; mark some on its page: reeltune serve "
            f"{in_shell(library)}",
            err=True,
        )
    if kept.bad:
        bad = counted(kept.bad, "line")
        say(f"passed over {bad} of the marks of {library} that cannot be read", err=True)


@app.command("remove")
def library_remove(
    paths: Annotated[list[str], typer.Argument(help="Files, or folders with all below them.")],
    library: LibraryOption = LIBRARY,
    as_json: JsonOption = False,
) -> None:
    """Take files out of a library, and leave them on disk; `undo` brings them back.

    Example: `reeltune library remove ~/Videos/drafts --library holidays`
    """
    from reeltune.search.files import remove

    removed = remove(library, paths)
    print_json(removed) if as_json else say_each([f"removed {path}" for path in removed])


@app.command("undo")
def library_undo(library: LibraryArgument = LIBRARY, as_json: JsonOption = False) -> None:
    """Take back what the last index, remove, relocate or reindex did; twice takes that back.

    Example: `reeltune library undo holidays`
    """
    from dataclasses import asdict

    from reeltune.search.store.changes import undo

    change = undo(library)
    said = f"took back what {change.what} did at {change.at}; undo again brings it back"
    print_json(asdict(change)) if as_json else say(said)


@app.command("relocate")
def library_relocate(
    old: Annotated[str, typer.Argument(help="The folder where the videos were.")],
    new: Annotated[str, typer.Argument(help="The folder where they are now.")],
    library: LibraryOption = LIBRARY,
    as_json: JsonOption = False,
) -> None:
    """Tell a library that its videos are in another folder now; nothing is read again.

    Example: `reeltune library relocate /media/old/Videos ~/Videos --library holidays`
    """
    from dataclasses import asdict

    from reeltune.cli.output import show_failed
    from reeltune.search.files import relocate

    done = relocate(library, old, new)
    if as_json:
        print_json(asdict(done))
    else:
        show_failed(done.kept)
        are = "is" if len(done.moved) == 1 else "are"
        say(f"{counted(len(done.moved), 'file')} {are} now below {new}")
    sys.exit(done.exit_code)


@app.command("reindex")
def library_reindex(
    library: LibraryArgument = LIBRARY,
    model: Annotated[
        str, typer.Option(help="One of `reeltune models`, auto, a folder or a hub id.")
    ] = "auto",
    width: WidthOption = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Go on without files that cannot be read now.")
    ] = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Read all videos of a library again with another model; it can be searched meanwhile.

    Example: `reeltune library reindex holidays --model siglip2`
    """
    from dataclasses import asdict

    from reeltune.cli.bars import Bar

    with Bar(hidden=as_json) as bar:
        from reeltune.cli.output import show_reindexed
        from reeltune.registry import given
        from reeltune.search.reindex import reindex

        done = reindex(library, given(model), device, drop_missing, bar, width)
    print_json(asdict(done)) if as_json else show_reindexed(done)
    if done.interrupted:
        raise KeyboardInterrupt
    sys.exit(done.exit_code)
