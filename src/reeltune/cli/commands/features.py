"""The command that stores frame features."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from reeltune.cli.exits import exit_incomplete
from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import FollowOption, JsonOption, print_json
from reeltune.cli.terminal import say
from reeltune.errors import counted

PLACE = 60  # in `--help`
GOES_ON = ("features",)  # where they stopped, when they are called again
app = typer.Typer()


@app.command()
def features(
    videos: Annotated[list[str], typer.Argument(help="Videos, and folders of videos.")],
    out: Annotated[Path, typer.Option(help="Folder that the features go to.")],
    model: Annotated[str, typer.Option(help="lite, tiny-clip, a CLIP folder or hub id.")] = "lite",
    every: Annotated[float, typer.Option(help="Seconds between frames.")] = 0.5,
    format: Annotated[
        Literal["own", "official"], typer.Option(help="official: that of hybrid_space.")
    ] = "own",
    dtype: Annotated[
        Literal["float16", "float32"] | None, typer.Option(help="As stored; float16 by default.")
    ] = None,
    photos: Annotated[bool, typer.Option(help="Photos too, as clips of one frame.")] = False,
    follow: FollowOption = False,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:1.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Store a model's features of frames, for training on them; run it again to go on.

    Example: `reeltune features ~/Videos --model openai/clip-vit-base-patch32 --out clip-features`
    """
    from reeltune.cli.bars import Bar

    with Bar(hidden=as_json) as bar:
        from reeltune.cli.output import show_passed_over
        from reeltune.registry import given
        from reeltune.runs.make_features import FeatureOptions, make_features

        options = FeatureOptions(
            every=every,
            format=format,
            dtype=dtype,
            photos=photos,
            follow=follow,
            device=device,
        )
        report = make_features(videos, given(model), out, options, bar)
    if as_json:
        print_json(report.as_dict())
    else:
        for entry in report.left_out:
            say(("left out", "red"), f" {entry}")
        show_passed_over(report.passed_over)
        say(
            f"{out}: {counted(len(report.made), 'video')} made, {len(report.unchanged)} there "
            f"already, {len(report.faults)} left out; {counted(report.rows, 'row')} of "
            f"{report.width} in {report.elapsed:.0f} s"
        )
    if report.interrupted and report.rows:
        say(f"{out} is unfinished, and nothing reads it until all videos are there", err=True)
    if report.interrupted:
        raise KeyboardInterrupt
    exit_incomplete(bool(report.faults))
