"""Turns videos and photos into stored frame features, by any model that reads frames alone."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np

from reeltune.errors import ConfigError, DataError, MediaError
from reeltune.features.index import Making
from reeltune.features.store import PICTURES, SAFE, as_id
from reeltune.features.writer import FeatureWriter, Format
from reeltune.media.decoder import Decoder
from reeltune.media.files import Candidate, Scope, find
from reeltune.media.first_bytes import require_container
from reeltune.media.progress import Progress, Silent
from reeltune.media.sampling import Sampling
from reeltune.models.opening.open import open_encoder, placed_name
from reeltune.runs.encode_frames import encoded, encoded_video
from reeltune.storage.content import content_hash
from reeltune.storage.outputs import naming, require_folder
from reeltune.types import FrameEncoder, LeftOut, collect_left_out


@dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    """Says how features should be made."""

    every: float = 0.5  # s between frames; the published features have one every half second
    format: Format = "own"
    dtype: Literal["float16", "float32"] | None = None  # None: float16, or float32 if official
    photos: bool = False  # also take photos in folders, each as a clip of one frame
    follow: bool = False  # links that lead out of the given folders
    device: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.every < 1e6:
            raise ConfigError(f"every is {self.every:g} s; give seconds above 0, such as 0.5")

    @property
    def sampling(self) -> Sampling:
        """The rule by which frames are chosen."""
        return Sampling("fps", 1 / self.every)


@dataclass
class FeatureReport:
    """A report of a run, for people and for scripts."""

    folder: str
    model: str
    width: int
    made: list[str] = field(default_factory=list)  # ids
    unchanged: list[str] = field(default_factory=list)  # ids
    faults: dict[str, str] = field(default_factory=dict)  # path -> why it has no features
    passed_over: list[LeftOut] = field(default_factory=list)  # files, folders and links, by kind
    rows: int = 0  # of all videos in the folder
    elapsed: float = 0.0  # s
    interrupted: bool = False

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Files without features, counted by the reason."""
        return collect_left_out("file", self.faults.items())

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return asdict(self) | {"left_out": [asdict(entry) for entry in self.left_out]}


@dataclass(frozen=True)
class Source:
    """A file and the id of its features."""

    path: str
    id: str
    size: int  # bytes


def make_features(
    paths: Sequence[str],
    model: str,
    out: Path,
    options: FeatureOptions = FeatureOptions(),
    progress: Progress | None = None,
    encoder: FrameEncoder | None = None,
) -> FeatureReport:
    """Encode frames of the videos at `paths` into the folder `out`, which is made if need be.

    Videos already there are passed over, so a run that was stopped goes on when it is started
    again; until then the folder is unfinished, and nothing reads it. A file that cannot be used is
    named in the report's faults and never stops the run. `encoder` is the model, where the caller
    has it opened.
    Raises DataError if a path is not there, if another process writes to `out`, or if `out` holds
    features made in another way; ConfigError for a model that does not read frames alone.
    """
    begun = time.monotonic()
    encoder = encoder or open_frame_encoder(model, options.device)
    more = PICTURES if options.photos else frozenset()
    there = find(paths, Scope(follow=options.follow, more=more))
    sources = sources_of(there.required(paths))
    making = _making(encoder, model, options)
    require_folder(out)
    report = FeatureReport(folder=str(out), model=model, width=making.width)
    report.faults |= there.faults
    report.passed_over.extend(there.passed_over)
    progress = progress or Silent()
    progress.begin(len(sources), sum(source.size for source in sources))
    writer = FeatureWriter(out, making, options.format)
    try:
        with naming(out), writer:  # which Ctrl-C leaves unfinished
            _make_all(sources, encoder, writer, report, progress, options.sampling)
    except KeyboardInterrupt:
        report.interrupted = True
    report.rows = sum(entry.count for entry in writer.videos.values())
    report.elapsed = time.monotonic() - begun
    return report


def sources_of(files: Sequence[Candidate]) -> list[Source]:
    """Files to read; the id of one in a folder is its path from that folder, without suffix."""
    roots = list(dict.fromkeys(file.root for file in files))
    return [
        Source(file.path, as_id(Path(os.path.relpath(file.path, file.root))), file.size)
        for file in sorted(files, key=lambda file: (roots.index(file.root), file.path))
    ]


def open_frame_encoder(model: str, device: str | None = None) -> FrameEncoder:
    """The model of this name; raises ConfigError for one that does not read frames alone."""
    encoder = open_encoder(model, device=device)
    if not isinstance(encoder, FrameEncoder):
        raise ConfigError(
            f"{model} reads whole clips, not frames alone, so it has no frame features; "
            "give lite, a CLIP folder or a hub id such as openai/clip-vit-base-patch32"
        )
    return encoder


def _making(encoder: FrameEncoder, model: str, options: FeatureOptions) -> Making:
    size = encoder.pixels.size
    black = np.zeros((1, 3, size, size), np.uint8)
    return Making(
        width=encoded(encoder, black).shape[1],
        dtype=options.dtype or ("float32" if options.format == "official" else "float16"),
        model=placed_name(model),
        fingerprint=encoder.fingerprint,
        sampling=str(options.sampling),
    )


def _make_all(
    sources: Sequence[Source],
    encoder: FrameEncoder,
    writer: FeatureWriter,
    report: FeatureReport,
    progress: Progress,
    sampling: Sampling,
) -> None:
    with Decoder(encoder.pixels, sampling) as decoder:
        for source in sources:
            try:
                content = _content(source, progress)
                _make_one(source, content, encoder, writer, report, decoder)
            except DataError as error:
                reason = error.reason if isinstance(error, MediaError) else str(error)
                report.faults[source.path] = reason
            progress.advance(source.path, source.size)


def _content(source: Source, progress: Progress) -> str:
    """The hash of a photo, or of a file that begins as a video."""
    if Path(source.path).suffix.lower() not in PICTURES:
        require_container(source.path)
    return content_hash(
        source.path, lambda done: progress.recognise(source.path, done, source.size)
    )


def _make_one(
    source: Source,
    content: str,
    encoder: FrameEncoder,
    writer: FeatureWriter,
    report: FeatureReport,
    decoder: Decoder,
) -> None:
    """Store one file's features, unless they are there. Raises DataError if that cannot be."""
    name = quote(source.id, safe=SAFE) if writer.format == "official" else source.id
    stored = writer.videos.get(name)
    if stored is not None:
        if stored.content != content:
            raise DataError(
                f"another file, or another version of it, has the id {name!r}; "
                "give a new folder, or name the folder that holds both"
            )
        report.unchanged.append(name)
        return
    features, edges = encoded_video(Path(source.path), encoder, decoder)
    writer.append(name, features, edges, content)
    report.made.append(name)
