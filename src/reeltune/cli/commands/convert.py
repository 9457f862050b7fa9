"""Commands that turn files of other releases into ours: part of the command line.

Each reads SOURCE without running anything in it, and writes below OUT.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from reeltune.cli.options import JsonOption, changes_of, print_json
from reeltune.cli.terminal import say

PLACE = 80  # in `--help`
LONG, FIRST = 10, 3  # names of keys: from how many on they are counted, and how many are shown then
LOST = ("missing", "unexpected")
EXAMPLE = "Example: `reeltune convert univl univl.pretrained.bin univl-pretrained`"
app = typer.Typer(
    name="convert", no_args_is_help=True, help=f"Make files of other releases ours.\n\n{EXAMPLE}"
)

OutArgument = Annotated[Path, typer.Argument(help="Folder to write.")]


def tell(facts: dict[str, Any], as_json: bool) -> None:
    """Print facts as JSON, or one a line, where a long list is given by its length; of what the
    file lacks, and what of it is left out, the first are named too."""
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        told = value
        if isinstance(value, list) and len(value) > LONG:
            first = f": {', '.join(value[:FIRST])}, ..." if name in LOST else ""
            told = f"{len(value)}{first}"
        say(f"{name}: {', '.join(told) or 'none' if isinstance(told, list) else told}")
    if facts.get("missing"):
        lacks = f"{len(facts['missing'])} of {len(facts['missing']) + len(facts['loaded'])}"
        say(("partly", "yellow"), f" {facts['folder']}: {lacks} weights are not those of the file")


def weights(
    component: str, source: Path, out: Path, settings: list[str] | None, **read: Any
) -> dict[str, Any]:
    """Write the folder of a component's released weights; what became of each key.

    `read` are settings that come from other files of the release.
    """
    from dataclasses import asdict

    from reeltune.registry import find
    from reeltune.settings.faults import settings_given
    from reeltune.storage.outputs import new_folder

    module = find("models", component)
    config = settings_given(module.Config, changes_of(settings), "config").model_copy(update=read)
    with new_folder(out) as folder:
        found = module.convert(source, folder, config)
    return {"folder": str(out), **{name: list(keys) for name, keys in asdict(found).items()}}


@app.command()
def univl(
    source: Annotated[Path, typer.Argument(help="univl.pretrained.bin, or weights tuned of it.")],
    out: OutArgument,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A size of its own, e.g. config.video_layers=4."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """UniVL's weights, with what became of each key; what the file lacks has random weights.

    Example: `reeltune convert univl univl.pretrained.bin univl-pretrained`
    """
    tell(weights("univl", source, out, settings), as_json)


@app.command()
def all_in_one(
    source: Annotated[Path, typer.Argument(help="all-in-one-base.ckpt, or weights tuned of it.")],
    out: OutArgument,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A size of its own, e.g. config.frames=8."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """All-in-one's weights, with what became of each key; what the file lacks has random weights.

    Example: `reeltune convert all-in-one all-in-one-base.ckpt all-in-one-pretrained`
    """
    tell(weights("all-in-one", source, out, settings), as_json)


@app.command()
def alpro(
    source: Annotated[
        Path, typer.Argument(help="alpro_pretrained_ckpt.pt, or weights tuned of it.")
    ],
    out: OutArgument,
    entities: Annotated[
        Path | None,
        typer.Option(help="data/unigrams.txt: what its prompter chooses from, one a line."),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="train_ans2label.json of a checkpoint for questions.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A size of its own, e.g. config.frames=16."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """ALPRO's weights, and those of the prompter inside, with what became of each key.

    Example: `reeltune convert alpro alpro_pretrained_ckpt.pt alpro-pretrained`
    """
    from reeltune.models.released.alpro_lists import answers_in, entities_in

    read: dict[str, Any] = {}
    if entities is not None:
        read["entities"] = entities_in(entities)
    if answers is not None:
        read |= {"task": "open-ended", "answers": answers_in(answers)}
    tell(weights("alpro", source, out, settings, **read), as_json)


@app.command()
def violet(
    source: Annotated[Path, typer.Argument(help="ckpt_violet_pretrain.pt, or weights of it.")],
    out: OutArgument,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="What it is asked, e.g. config.task=multiple-choice."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Violet's weights, with what became of each key; what the file lacks has random weights.

    Example: `reeltune convert violet ckpt_violet_pretrain.pt violet-pretrained`
    """
    tell(weights("violet", source, out, settings), as_json)


@app.command()
def dual_encoding(
    source: Annotated[
        Path, typer.Argument(help="model_best.pth.tar of hybrid_space or dual_encoding.")
    ],
    out: OutArgument,
    data: Annotated[
        Path | None, typer.Option(help="Root of the folders that it was trained from.")
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="vocabulary/rnn/word_vocab_5.pkl; none: that below DATA.")
    ] = None,
    bag: Annotated[
        Path | None,
        typer.Option(help="vocabulary/bow/word_vocab_5.pkl; none: below DATA, or as WORDS."),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Model whose frame features it was trained on, for search.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Dual Encoding's weights and words; with DATA also the ranges that single scores need.

    Example: `reeltune convert dual-encoding model_best.pth.tar released --data ROOT`
    """
    from reeltune.registry import given
    from reeltune.runs.released_dual_encoding import bring_in
    from reeltune.storage.outputs import new_folder

    encoder = None if encoder is None else given(encoder)
    with new_folder(out) as folder:
        found = bring_in(source, words, bag, data, encoder)
        found.model.save_pretrained(folder)
    tell({"folder": str(out), **found.facts()}, as_json)


@app.command()
def vop(
    source: Annotated[Path, typer.Argument(help="VoP_*.pth or VoPSE_*.pth of ModelScope.")],
    out: OutArgument,
    base: Annotated[str, typer.Option(help="The CLIP that it was trained in: a folder or hub id.")],
    prefix: Annotated[
        int | None, typer.Option(help="Text prompts before the words; none: as told beside SOURCE.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """VoP's prompts, or what Bias, Proj or Partial tuned, with what became of each key.

    Example: `reeltune convert vop VoP_msrvtt9k.pth released --base openai/clip-vit-base-patch32`
    """
    from dataclasses import asdict

    from reeltune.models.released.vop import convert
    from reeltune.registry import given
    from reeltune.storage.outputs import new_folder

    with new_folder(out) as folder:
        found = convert(source, given(base), prefix)
        found.model.save_pretrained(folder)
    report = {name: list(keys) for name, keys in asdict(found.report).items()}
    tell({"folder": str(out), **found.facts(), **report}, as_json)


@app.command()
def open_clip(
    source: Annotated[Path, typer.Argument(help="A folder with open_clip_config.json.")],
    out: OutArgument,
    as_json: JsonOption = False,
) -> None:
    """A CLIP in the form of open_clip, whose towers are built as OpenAI's.

    Example: `reeltune convert open-clip clip-of-ours clip-turned`
    """
    from reeltune.models.released.open_clip import convert
    from reeltune.storage.outputs import new_folder

    with new_folder(out) as folder:
        model = convert(source, folder)
    facts = {"dim": model.dim, "image": model.pixels.size, "fingerprint": model.fingerprint}
    tell({"folder": str(out), **facts}, as_json)


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
    from reeltune.data.released.univl_pickles import convert_s3d
    from reeltune.features.store import Features
    from reeltune.storage.outputs import new_folder

    with new_folder(out) as folder:
        videos = convert_s3d(source, folder, rate)
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
    from reeltune.data.released.youcook2 import FILE, convert

    told = convert(source, out)
    steps = sum(len(video.text) for video in told.root.values())
    facts = {"videos": len(told.root), "clips": steps, "transcripts": told.spoken}
    tell({"file": str(out / FILE), **facts}, as_json)
