"""The command that writes down what is said in a video."""

from typing import Annotated, Literal

import typer

from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import LIBRARY, JsonOption, print_json
from reeltune.cli.terminal import say, say_row
from reeltune.storage.place import Place, place

PLACE = 12  # in `--help`
app = typer.Typer()


@app.command()
def transcript(
    video: Annotated[str, typer.Argument(help="A video.")],
    format: Annotated[
        Literal["txt", "srt", "vtt", "json"],
        typer.Option(help="Plain lines, subtitles, or JSON as by --json."),
    ] = "txt",
    library: Annotated[
        Place | None,
        typer.Option(
            "--library",
            "-l",
            help=f"Folder of the library; {LIBRARY} if it is there.",
            parser=place,
            metavar="PATH",
        ),
    ] = None,
    speech: Annotated[
        str | None, typer.Option(help="Hear it anew by this: a size of Whisper, or a folder.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write down what is said in a video: what a library has of it, else what is heard now.

    Example: `reeltune transcript clip.mp4 --format srt`
    """
    from dataclasses import asdict

    from reeltune.cli.bars import Bar

    with Bar(hidden=as_json or format == "json") as bar:
        from reeltune.search.transcript import transcript as told_in
        from reeltune.search.transcript_text import lines_of

        usual = LIBRARY if library is None and LIBRARY.is_dir() else library
        told = told_in(video, usual, speech, bar)
    if as_json or format == "json":
        print_json({"video": video, **asdict(told)})
        return
    if told.note:
        say(("note", "yellow"), f" {video}: {told.note}", err=True)
    if not told.phrases:
        say(f"nothing is said in {video}, or nothing that was understood", err=True)
    for line in lines_of(told.phrases, format):
        say_row(line)
