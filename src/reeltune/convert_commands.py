"""Commands that turn files of other releases into ours: part of the command line.

Each reads SOURCE without running anything in it, and writes below OUT.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from reeltune.training_commands import JsonOption, changes_of, print_json

EXAMPLE = "Example: `reeltune convert univl univl.pretrained.bin univl-pretrained`"
app = typer.Typer(no_args_is_help=True, help=f"Make files of other releases ours.\n\n{EXAMPLE}")

OutArgument = Annotated[Path, typer.Argument(help="Folder to write.")]


def tell(facts: dict[str, Any], as_json: bool) -> None:
    """Facts as JSON, or a line each; of long lists the number in the terminal."""
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        shown = f"{len(value)}" if isinstance(value, list) and len(value) > 10 else value
        typer.echo(f"{name}: {', '.join(shown) or 'none' if isinstance(shown, list) else shown}")


@app.command()
def univl(
    source: Annotated[Path, typer.Argument(help="univl.pretrained.bin, or weights tuned of it.")],
    out: OutArgument,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A size of its own, e.g. video_layers=4.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """UniVL's weights, with what became of each key; what the file lacks has random weights.

    Example: `reeltune convert univl univl.pretrained.bin univl-pretrained`
    """
    from dataclasses import asdict

    from pydantic import ValidationError

    from reeltune._faults import refusal, settings_of
    from reeltune.errors import ConfigError
    from reeltune.models.univl import Config, convert

    try:
        config = Config(**changes_of(settings))
    except ValidationError as error:
        raise ConfigError(refusal(error, "", settings_of(Config))) from error
    report = {name: list(keys) for name, keys in asdict(convert(source, out, config)).items()}
    tell({"folder": str(out), **report}, as_json)


@app.command()
def dual_encoding(
    source: Annotated[Path, typer.Argument(help="model_best.pth.tar of hybrid_space.")],
    out: OutArgument,
    words: Annotated[Path, typer.Option(help="vocabulary/rnn/word_vocab_5.pkl of its training.")],
    bag: Annotated[
        Path | None, typer.Option(help="vocabulary/bow/word_vocab_5.pkl; none: in one order.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Model whose frame features it was trained on, for search.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Dual Encoding's weights, with the vocabularies that they were trained with.

    Example: `reeltune convert dual-encoding model_best.pth.tar released --words word_vocab_5.pkl`
    """
    from reeltune.models._dual_encoding._official_vocabulary import read_official
    from reeltune.models._dual_encoding._released import convert

    model = convert(source, read_official(words), read_official(bag) if bag else None, encoder)
    model.save_pretrained(out)
    sizes = ("words", "features", "latent", "concepts")
    facts = {name: getattr(model.config, name) for name in sizes}
    tell({"folder": str(out), "weights": len(model.state_dict()), **facts}, as_json)


@app.command()
def s3d(
    source: Annotated[Path, typer.Argument(help="A pickle: video id to features (n, width).")],
    out: OutArgument,
    rate: Annotated[float, typer.Option(help="Features per second.")] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Frame features, such as UniVL's of S3D.

    Example: `reeltune convert s3d msrvtt_videos_features.pickle MSRVTT/features`
    """
    from reeltune.data._features import Features
    from reeltune.data._univl_pickles import convert_s3d

    videos = convert_s3d(source, out, rate)
    features = Features(out)
    facts = {"videos": videos, "rows": features.rows, "width": features.width}
    tell({"folder": str(out), **facts}, as_json)


@app.command()
def youcook2(
    source: Annotated[Path, typer.Argument(help="youcookii_data.no_transcript.pickle of UniVL.")],
    out: OutArgument,
    as_json: JsonOption = False,
) -> None:
    """Captions of YouCook2, and transcripts where the file has them.

    Example: `reeltune convert youcook2 youcookii_data.no_transcript.pickle YOUCOOK2`
    """
    from reeltune.data._youcook2 import DATA, convert

    told = convert(source, out)
    steps = sum(len(video.text) for video in told.root.values())
    facts = {"videos": len(told.root), "clips": steps, "transcripts": told.spoken}
    tell({"file": str(out / DATA), **facts}, as_json)
