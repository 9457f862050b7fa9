"""Options that several commands have, and JSON as all of them print it."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from reeltune.cli.completion import libraries
from reeltune.cli.terminal import say_raw
from reeltune.storage.place import Place, place

LIBRARY: Place = Path("reeltune.library")
LibraryOption = Annotated[
    Place,
    typer.Option(
        "--library",
        "-l",
        help="Folder of the library, or s3://bucket/name.",
        parser=place,
        metavar="PATH",
        autocompletion=libraries,
    ),
]
LibraryArgument = Annotated[
    Place,
    typer.Argument(
        help="Folder of the library, or s3://bucket/name.",
        parser=place,
        metavar="[LIBRARY]",
        autocompletion=libraries,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
WithoutOption = Annotated[
    list[str] | None, typer.Option("--not", help="What counts against; repeatable.")
]
ChannelsOption = Annotated[
    str | None, typer.Option("--in", help="What counts: some of seen,said,shown.")
]
InsideOption = Annotated[str | None, typer.Option(help="A file or folder that alone counts.")]
DeviceOption = Annotated[
    str | None, typer.Option(help="cpu, cuda or cuda:1; by default a GPU where there is one.")
]
ModelOption = Annotated[
    str | None, typer.Option(help="One of `reeltune models`, auto, a folder or a hub id.")
]
WidthOption = Annotated[
    int | None,
    typer.Option(min=1, help="Numbers of a vector, where the model was trained for it; kept."),
]
FollowOption = Annotated[
    bool, typer.Option("--follow", help="Also what links lead to outside of the folders.")
]
DataOption = Annotated[Path | None, typer.Option(help="Folder of the dataset.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A setting, e.g. training.lr=1e-4; repeatable.")
]


def print_json(data: object) -> None:
    """Print data as indented JSON on standard output, in ASCII: any locale can take it, and names
    that are not UTF-8 come through (as lone surrogates, as in Python)."""
    say_raw(json.dumps(data, indent=2))


def changes_of(given: list[str] | None, **named: object) -> dict[str, Any]:
    """Settings given as `name=value`, with values read as YAML, and those that options name; of two
    values by `--set` the last counts.

    Errors: `ConfigError` for what is no such thing, and where an option has another value.
    """
    import yaml

    from reeltune.errors import ConfigError, in_short

    changes: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    for item in given or []:
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set {item} has no value; write --set training.lr=1e-4")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"--set {item} has a value that is not YAML ({in_short(error)}); write it as in a "
                "recipe, such as --set training.lr=1e-4"
            ) from error
        changes[name] = _typed(read)
        if named.get(name) not in (None, changes[name]):
            raise ConfigError(
                f"{name} is given by its own option as {named[name]} and by --set as "
                f"{changes[name]}; give it once"
            )
    return changes


def _typed(read: Any) -> Any:
    """A value as YAML has it, a number where it reads 1e-4, and where it is a name, a given one."""
    from reeltune.registry import given

    if not isinstance(read, str):
        return read
    return float(read) if _is_number(read) else given(read)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
