"""Commands that ask a model about videos, and have it describe them."""

import sys
from typing import Annotated

import typer

from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import DeviceOption, FollowOption, JsonOption, print_json

PLACE = 15  # in `--help`
app = typer.Typer()


@app.command()
def ask(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEOS... [QUESTION]",
            help="Videos, or folders of them; last the question, where the model reads one.",
        ),
    ],
    model: Annotated[str, typer.Option(help="Folder of a trained model that is asked.")],
    options: Annotated[
        str | None, typer.Option(help="Answers to choose from, with commas between them.")
    ] = None,
    said: Annotated[
        str | None, typer.Option(help="What is said in the video, for a model that rates it.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many answers are shown.")] = 3,
    follow: FollowOption = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Ask a trained model about videos: it chooses, answers, names the class, or rates.

    Example: `reeltune ask clip.mp4 "what does the box do?" --model runs/toybox-what/univl/seed0`

    With choices, `reeltune train toybox-action/univl` makes a model for them:
    `reeltune ask clip.mp4 "what twice?" --options spin,grow --model runs/toybox-action/univl/seed0`
    """
    from reeltune.cli.bars import Bar

    videos, question = apart(words)
    with Bar(hidden=as_json) as bar:
        from reeltune.cli.output import show_replies
        from reeltune.runs.ask import Question, Questioner

        asked = Question(
            question=question,
            options=tuple(option.strip() for option in options.split(",")) if options else (),
            said=said or "",
        )
        found = Questioner(model, device).ask(videos, asked, bar, follow=follow)
    if as_json:
        data = found.as_dict()
        for video in data["videos"]:
            video["answers"] = video["answers"][:top]
        print_json(data)
    else:
        show_replies(found, top)
    sys.exit(found.exit_code)


def apart(words: list[str]) -> tuple[list[str], str]:
    """The videos, and the question: the last word, unless it is a path or the name of a video."""
    from reeltune.errors import ConfigError
    from reeltune.media.names import SUFFIXES
    from reeltune.storage.home import from_home

    *before, last = words
    path = from_home(last)
    if path.exists() or path.suffix.lower() in SUFFIXES:
        return words, ""
    if not before:
        raise ConfigError(f"{last!r} is no video; give a video or a folder before the question")
    return before, last


@app.command()
def caption(
    videos: Annotated[list[str], typer.Argument(help="Videos, or folders of videos.")],
    model: Annotated[str, typer.Option(help="Folder of a trained model that writes captions.")],
    transcript: Annotated[
        str | None, typer.Option(help="What is said in the video, for a model that reads it.")
    ] = None,
    follow: FollowOption = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Have a trained model write a caption of each video.

    Example: `reeltune caption clip.mp4 --model runs/toybox/univl-caption/seed0`
    """
    from reeltune.cli.bars import Bar

    with Bar(hidden=as_json) as bar:
        from reeltune.cli.output import show_captions
        from reeltune.runs.caption import Captioner

        found = Captioner(model, device).caption(videos, transcript, bar, follow=follow)
    print_json(found.as_dict()) if as_json else show_captions(found)
    sys.exit(found.exit_code)
