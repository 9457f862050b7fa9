"""Pairs to batches: frames through the cache, decoded ahead in threads, in an order by seed."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch.nn.utils.rnn import pad_sequence

from reeltune.batches.frame_cache import FrameCache, Frames, Wanted
from reeltune.batches.in_threads import in_threads
from reeltune.errors import DataError, MediaError
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.types import Batch, LeftOut, Pair, Pixels, Target, Tokens

AHEAD = 2  # batches that are made while the model is busy with one
Clip = Shaped[np.ndarray, "..."]  # pixels (T, 3, S, S) or features (T, F)


@runtime_checkable
class ClipReader(Protocol):
    """Where clips come from: decoded frames, or stored features."""

    @property
    def policy(self) -> str:
        """Which frames, for protocol cards."""
        ...

    def read(self, pair: Pair) -> Clip:
        """What the model reads of the pair's clip, in order of time.

        Errors: `DataError`, with the reason, where nothing can be read.
        """
        ...


class FrameReader:
    """Frames of a clip from the cache or a decoder; there are as many decoders as concurrent
    threads."""

    def __init__(self, pixels: Pixels, frames: int, cache: FrameCache | None) -> None:
        self.pixels, self.frames, self.cache = pixels, frames, cache
        self._idle: list[Decoder] = []

    @property
    def policy(self) -> str:
        """Which frames are read, as a protocol card names it."""
        return str(Sampling("uniform", float(self.frames)))

    def __enter__(self) -> "FrameReader":
        return self

    def __exit__(self, *_: object) -> None:
        while self._idle:
            self._idle.pop().close()

    def read(self, pair: Pair) -> Frames:
        """At most `frames` frames, chosen by `Sampling`; raises MediaError if there is none."""
        wanted = Wanted(pair.path, self._sampling(pair), self.pixels)
        return self.cache.get(wanted, self._decode) if self.cache else self._decode(wanted)

    def _sampling(self, pair: Pair) -> Sampling:
        if pair.start == 0 and pair.end is None:
            return Sampling("uniform", float(self.frames))
        end = math.inf if pair.end is None else float(pair.end)
        return Sampling("uniform", float(self.frames), float(pair.start), end)

    def _decode(self, wanted: Wanted) -> Frames:
        with self._decoder() as decoder:
            decoder.sampling = wanted.sampling
            try:
                with decoder.open(wanted.path) as reading:
                    return np.stack([frame.pixels for frame in reading])
            except MediaError as error:
                if wanted.sampling.end is None:
                    raise
                reason = f"{error.reason}; asked for was {wanted.sampling}"
                raise MediaError(error.path, reason) from error

    @contextmanager
    def _decoder(self) -> Iterator[Decoder]:
        """A decoder that no other thread uses; it is kept afterwards, because threads end with
        each epoch."""
        try:
            decoder = self._idle.pop()
        except IndexError:
            decoder = Decoder(self.pixels)
        try:
            yield decoder
        finally:
            self._idle.append(decoder)


@dataclass
class Order:
    """Which pairs are in which batch; a function of seed and epoch alone.

    `batch` is that of all processes together: of `world` processes number `rank` has its part.

    In an epoch every video appears once, with one of its captions, so a batch holds no two
    captions of a video unless `every_caption` says that every pair appears. Videos that stand
    together in the dataset's order come into a batch `neighbours` at a time: what is alike there
    (the twins of Toybox, the moments of one film) is then a hard negative of its like.
    """

    pairs: Sequence[Pair]
    batch: int
    seed: int
    every_caption: bool = False
    rank: int = 0
    world: int = 1
    neighbours: int = 1
    _captions: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        of_video: dict[str, list[int]] = {}
        for number, pair in enumerate(self.pairs):
            of_video.setdefault(pair.video, []).append(number)
        self._captions = list(of_video.values())
        if self.batches == 0:
            what = "captions" if self.every_caption else "videos, each once,"
            raise DataError(
                f"{self._each} {what} fill no batch of {self.batch}; "
                f"give --set training.batch={self._each} or less"
            )
        if self.batch % self.world:
            raise DataError(
                f"a batch of {self.batch} cannot be shared evenly by {self.world} processes; give "
                f"--set training.batch={-(-self.batch // self.world) * self.world}, or start "
                "another number of processes"
            )

    @property
    def batches(self) -> int:
        """Batches per epoch; a last one that is not full is left out."""
        return self._each // self.batch

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Pairs that do not fill a last batch; each epoch leaves out others."""
        count = self._each - self.batches * self.batch
        if count == 0:
            return ()
        reason = f"too few for another batch of {self.batch}, so each epoch leaves out some"
        what = "caption" if self.every_caption else "video"
        return (LeftOut(what=what, reason=reason, count=count, missing=False),)

    @property
    def _each(self) -> int:
        """The pairs or videos that an epoch goes through once."""
        return len(self.pairs) if self.every_caption else len(self._captions)

    def epoch(self, number: int) -> list[Int[np.ndarray, " B"]]:
        """Indices of pairs, batch by batch, for this rank."""
        source = np.random.default_rng([self.seed, number])
        if self.every_caption:
            chosen = shuffled(len(self.pairs), self.neighbours, source)
        else:
            videos = shuffled(len(self._captions), self.neighbours, source)
            drawn = source.random(len(videos))
            captions = (self._captions[video] for video in videos)
            chosen = np.array([c[int(d * len(c))] for c, d in zip(captions, drawn, strict=True)])
        whole = chosen[: self.batches * self.batch]
        return list(whole.reshape(self.batches, self.world, -1)[:, self.rank])


def shuffled(count: int, together: int, source: np.random.Generator) -> Int[np.ndarray, " N"]:
    """Numbers from 0 to `count` - 1 in random order, except that runs of `together`, cut at a
    random place, stay runs."""
    if together == 1:
        return source.permutation(count)
    ring = np.roll(np.arange(count), -int(source.integers(count)))
    runs = np.split(ring, range(together, count, together))
    return np.concatenate([runs[i] for i in source.permutation(len(runs))])


Text = Callable[[Pair], str]


class Loader:
    """Batches of an `Order`, made in threads ahead of their use.

    `targets` are what some losses want of each pair beside frames and words, by name; `texts`
    likewise, tokenised: `NAME` has the ids, padded to the longest of a batch, `NAME_mask` is true
    at real tokens. With `by_caption`, rows of a batch with the very same caption have one number,
    as rows of the same video do: none is a wrong answer for another. An order without
    `every_caption` has each video once in a batch.
    """

    def __init__(
        self,
        reader: ClipReader,
        order: Order,
        tokenize: Callable[[Sequence[str]], Tokens],
        threads: int = 2,
        targets: Mapping[str, Target] | None = None,
        texts: Mapping[str, Text] | None = None,
        by_caption: bool = False,
    ) -> None:
        self._reader, self.order, self._tokenize, self._threads = reader, order, tokenize, threads
        self._targets, self._texts = targets or {}, texts or {}
        keys = [pair.caption if by_caption else pair.video for pair in order.pairs]
        ids = {key: number for number, key in enumerate(keys)}
        self._group = [ids[key] for key in keys]

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Batches of an epoch from batch `start` on."""
        chosen = self.order.epoch(number)[start:]
        each = (int(i) for some in chosen for i in some)
        frames = in_threads(self._frames, each, self._threads, AHEAD * self.order.batch)
        with closing(frames):  # where the run stops in mid-epoch it does not wait for what is ahead
            for some in chosen:
                yield self._batch(some, list(islice(frames, len(some))))

    def _frames(self, index: int) -> Clip:
        return self._reader.read(self.order.pairs[index])

    def _batch(self, some: Int[np.ndarray, " B"], frames: list[Clip]) -> Batch:
        pairs = [self.order.pairs[int(i)] for i in some]
        group = torch.tensor([self._group[int(i)] for i in some])
        batch = stack(frames, self._tokenize([pair.caption for pair in pairs]), group)
        targets = {
            name: torch.from_numpy(np.stack([of(pair) for pair in pairs]))
            for name, of in self._targets.items()
        }
        for name, text in self._texts.items():
            tokens = self._tokenize([text(pair) for pair in pairs])
            targets |= {name: tokens.ids, f"{name}_mask": tokens.mask}
        return replace(batch, targets=targets)


def stack(frames: Sequence[Clip], tokens: Tokens, group: torch.Tensor) -> Batch:
    """One batch of clips, padded with black frames, or zeros, that the mask hides."""
    clips = [torch.from_numpy(clip) for clip in frames]
    padded = pad_sequence(clips, batch_first=True)  # (B, T, 3, S, S)
    lengths = torch.tensor([len(clip) for clip in clips])
    mask = torch.arange(padded.shape[1]) < lengths[:, None]  # (B, T)
    return Batch(padded, mask, tokens, group)


def readable(
    reader: ClipReader, pairs: Sequence[Pair], progress: Callable[[int, int], None] | None = None
) -> tuple[list[Pair], dict[str, str]]:
    """Pairs whose clips can be read, and why the other videos cannot, by id; fills the cache.

    `progress` is told how many clips are done, and of how many.
    """
    faults: dict[tuple[Path, float, float | None], str] = {}
    clips = {_clip(pair): pair for pair in pairs}

    def attempt(pair: Pair) -> None:
        try:
            reader.read(pair)
        except DataError as error:
            reason = error.reason if isinstance(error, MediaError) else str(error)
            faults[_clip(pair)] = reason

    with closing(in_threads(attempt, clips.values())) as attempts:
        for done, _ in enumerate(attempts, 1):
            if progress is not None:
                progress(done, len(clips))
    kept = [pair for pair in pairs if _clip(pair) not in faults]
    return kept, {pair.video: faults[_clip(pair)] for pair in pairs if _clip(pair) in faults}


def _clip(pair: Pair) -> tuple[Path, float, float | None]:
    return pair.path, pair.start, pair.end
