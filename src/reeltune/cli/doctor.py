"""Looks up what this machine has and which models can run on it, and assumes nothing.

Nothing is downloaded and the hub is not asked.
"""

import os
import platform
import re
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import av
import psutil  # type: ignore[import-untyped]
import torch
from huggingface_hub import constants
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reeltune._version import __version__
from reeltune.cli.terminal import shown
from reeltune.errors import ReeltuneError
from reeltune.media.decoder import sandbox
from reeltune.models.opening.hub import cached_models
from reeltune.registry import find, names
from reeltune.search.channels.shown import why_not

PACKAGES = (
    "transformers",
    "tokenizers",
    "safetensors",
    "av",
    "pylance",
    "onnxruntime",
    "rapidocr",  # reads text in pictures
    "faster-whisper",  # of the extra `speech`
    "sentencepiece",  # wanted by SigLIP's tokenizer alone
)
SAFE_FFMPEG = (8, 1, 2)  # the first with CVE-2026-8461 closed
GIB = 2**30


def doctor() -> dict[str, Any]:
    """Facts in plain types: versions, machine, GPUs, models, folders, and warnings about them."""
    facts: dict[str, Any] = {
        "versions": _versions(),
        "ffmpeg": {
            "version": av.ffmpeg_version_info,
            "libraries": {name: _dotted(numbers) for name, numbers in av.library_versions.items()},
        },
        "machine": _machine(),
        "gpus": _gpus(),
        "decoder": _decoder(),
        "models": {name: _model(name) for name in names("models")},
        "text in pictures": {"lacks": why_not()},
        "hub models": cached_models(),
        "folders": {"hub cache": _folder(Path(constants.HF_HUB_CACHE))},
    }
    return {**facts, "warnings": warnings_about(facts)}


def warnings_about(facts: Mapping[str, Any]) -> list[str]:
    """What should be mended, each with the command that mends it."""
    found = []
    ffmpeg = facts["ffmpeg"]["version"]
    if _numbers(ffmpeg) < SAFE_FFMPEG:
        found.append(
            f"FFmpeg inside PyAV is {ffmpeg}; before {_dotted(SAFE_FFMPEG)} a hostile file can "
            "break it (CVE-2026-8461); mend it with: pip install --upgrade av"
        )
    if open_doors := [name for name, closed in facts["decoder"].items() if not closed]:
        found.append(
            f"the decoding process lacks here: {', '.join(open_doors)}; "
            "decode the files of strangers inside a container"
        )
    for name, model in facts["models"].items():
        if not model["loads"]:
            found.append(f"model {name} cannot load: {model['why']}")
    free = facts["folders"]["hub cache"]["free_gib"]
    if free < 2:
        found.append(f"{free} GiB are free where hub models are kept; set HF_HOME to a larger disk")
    return found


def doctor_report(facts: Mapping[str, Any]) -> RenderableType:
    """The report of `facts` for a terminal."""
    table = Table(show_header=False, box=None)
    for name, number in facts["versions"].items():
        table.add_row(name, number or Text("not installed", "dim"))
    table.add_row("FFmpeg in PyAV", facts["ffmpeg"]["version"])
    table.add_section()
    machine = facts["machine"]
    table.add_row("system", machine["system"])
    table.add_row("cores", f"{machine['cores_usable']} of {machine['cores']}")
    table.add_row("memory", f"{machine['memory_free_gib']} GiB free of {machine['memory_gib']} GiB")
    for gpu in facts["gpus"] or [None]:
        table.add_row("GPU", f"{gpu['name']}, {gpu['memory_gib']} GiB" if gpu else "none")
    closed = [name for name, taken in facts["decoder"].items() if taken]
    table.add_row("decoding process", ", ".join(closed) or Text("no protection", "red"))
    for name, model in facts["models"].items():
        can = Text.assemble(("can load", "green"), f", weights from {model['weights']}")
        cannot = Text("cannot load", "red")
        table.add_row(f"model {name}", can if model["loads"] else cannot)
    lacks = facts["text in pictures"]["lacks"]
    table.add_row("text in pictures", Text(lacks) if lacks else Text("can be read", "green"))
    table.add_row("hub models here", ", ".join(facts["hub models"]) or "none")
    for name, folder in facts["folders"].items():
        table.add_row(name, f"{shown(folder['path'])} ({folder['free_gib']} GiB free)")
    alarms = [Text.assemble(("warning:", "yellow"), f" {text}") for text in facts["warnings"]]
    return Group(table, *alarms)


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {
        "reeltune": __version__,
        "python": platform.python_version(),
    }
    found["torch"] = torch.__version__  # which names the build too
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _machine() -> dict[str, Any]:
    cores = os.cpu_count()
    memory = psutil.virtual_memory()
    return {
        "system": platform.platform(),
        "cores": cores,
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores,
        "memory_gib": round(memory.total / GIB, 1),
        "memory_free_gib": round(memory.available / GIB, 1),
        "torch_threads": torch.get_num_threads(),
    }


def _gpus() -> list[dict[str, Any]]:
    if not torch.cuda.is_available():
        return []
    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return [
        {
            "name": card.name,
            "memory_gib": round(card.total_memory / GIB, 1),
            "bfloat16": card.major >= 8,
        }
        for card in cards
    ]


def _decoder() -> dict[str, bool]:
    """The measures that protect from hostile files, and whether each could be taken."""
    try:
        return {"starts": True, **sandbox()}
    except (OSError, ReeltuneError):
        return {"starts": False}


def _model(name: str) -> dict[str, Any]:
    """Whether the component's code and packages can be imported; weights are not read."""
    try:
        component = find("models", name)
    except (ImportError, ReeltuneError) as error:
        return {"loads": False, "why": str(error), "weights": None}
    weights = getattr(component, "WEIGHTS_FROM", "its packages")
    return {"loads": True, "why": None, "weights": weights}


def _folder(path: Path) -> dict[str, Any]:
    there = next(place for place in (path, *path.parents) if place.exists())
    free = shutil.disk_usage(there).free
    return {"path": str(path), "exists": path.exists(), "free_gib": round(free / GIB, 1)}


def _numbers(text: str) -> tuple[int, ...]:
    """`n8.1.2-foo` as (8, 1, 2); a development build has no number and counts as the oldest."""
    release = re.match(r"n?(\d+(\.\d+)+)", text)
    return tuple(map(int, release[1].split("."))) if release else ()


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
