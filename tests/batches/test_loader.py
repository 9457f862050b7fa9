"""Pairs to batches: which pairs, in which order, which frames, padded how."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from media.numbered_video import number_of, write_numbered
from reeltune.batches.frame_cache import FrameCache
from reeltune.batches.loader import FrameReader, Loader, Order, readable, stack
from reeltune.errors import DataError, MediaError
from reeltune.types import Pair, Pixels, Tokens

SQUASHED = Pixels(size=96, fit="squash")
FRAME = 0.04  # s, from one number to the next


def pairs_of(videos: int, captions: int = 3) -> list[Pair]:
    """Pairs without files; caption `2.1` is the second of video 2."""
    return [
        Pair(video=f"v{v}", path=Path(f"v{v}.mp4"), caption=f"{v}.{c}")
        for v in range(videos)
        for c in range(captions)
    ]


def flat(epoch: Sequence[np.ndarray]) -> list[int]:
    return [int(index) for batch in epoch for index in batch]


def words(texts: Sequence[str]) -> Tokens:
    """The two numbers of a caption as its tokens."""
    ids = torch.tensor([[int(part) for part in text.split(".")] for text in texts])
    return Tokens(ids, torch.ones_like(ids, dtype=torch.bool))


@pytest.fixture(scope="module")
def ten_seconds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frame n, which shows the number n, stands at 0.04 n s."""
    return write_numbered(tmp_path_factory.mktemp("loader") / "ten.mp4")


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Two captions each of six videos of 3 to 8 frames, whose first frame's number is theirs."""
    folder = tmp_path_factory.mktemp("footage")
    for v in range(6):
        write_numbered(folder / f"v{v}.mp4", range(0, 40 * (3 + v), 40))
    return [
        Pair(video=f"v{v}", path=folder / f"v{v}.mp4", caption=f"{v}.{c}")
        for v in range(6)
        for c in range(2)
    ]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrameReader]:
    cache = FrameCache(tmp_path_factory.mktemp("frames"))
    with FrameReader(SQUASHED, 5, cache) as made:
        yield made


@given(st.integers(0, 1000), st.integers(0, 50), st.booleans())
def test_order_is_a_function_of_seed_and_epoch(seed: int, epoch: int, every: bool) -> None:
    pairs = pairs_of(30)
    first, again = (Order(pairs, 4, seed, every).epoch(epoch) for _ in range(2))
    assert flat(first) == flat(again)
    assert flat(first) != flat(Order(pairs, 4, seed, every).epoch(epoch + 1))
    assert flat(first) != flat(Order(pairs, 4, seed + 1, every).epoch(epoch))


@given(st.integers(1, 5), st.integers(1, 6), st.booleans(), st.integers(0, 99))
def test_ranks_are_disjoint_and_together_the_batches_of_one_process(
    world: int, batch: int, every: bool, seed: int
) -> None:
    pairs = pairs_of(30)
    size = batch * world
    ranks = [Order(pairs, size, seed, every, rank, world).epoch(3) for rank in range(world)]
    alone = Order(pairs, size, seed, every).epoch(3)
    assert len({len(epoch) for epoch in ranks}) == 1
    joined = [np.concatenate(parts) for parts in zip(*ranks, strict=True)]
    assert flat(joined) == flat(alone)
    assert len(set(flat(joined))) == len(flat(joined))


@given(st.integers(0, 200))
def test_an_epoch_shows_every_video_once(seed: int) -> None:
    pairs = pairs_of(12, captions=5)
    order = Order(pairs, 4, seed)
    assert order.batches == 3
    assert sorted(pairs[i].video for i in flat(order.epoch(0))) == sorted({p.video for p in pairs})


def test_a_batch_holds_no_two_captions_of_a_video() -> None:
    pairs = pairs_of(10, captions=20)
    for epoch in range(20):
        for batch in Order(pairs, 8, 0).epoch(epoch):
            assert len({pairs[i].video for i in batch}) == 8


def test_every_caption_of_a_video_comes_up_sooner_or_later_and_equally_often() -> None:
    pairs = pairs_of(4, captions=5)
    order = Order(pairs, 4, 0)
    seen = np.bincount([i for epoch in range(1000) for i in flat(order.epoch(epoch))])
    assert len(seen) == 20
    assert abs(seen - 200).max() < 5 * np.sqrt(1000 * 0.2 * 0.8), seen  # five standard deviations


@given(st.integers(2, 6), st.integers(0, 99))
def test_neighbours_come_together_and_every_video_once(together: int, seed: int) -> None:
    pairs = pairs_of(24, captions=2)
    order = Order(pairs, 12, seed, neighbours=together)
    place = [int(pairs[i].video[1:]) for i in flat(order.epoch(seed))]
    assert sorted(place) == list(range(24))
    steps = sum((b - a) % 24 == 1 for a, b in itertools.pairwise(place))
    assert steps >= 24 - -(-24 // together)  # inside each run every video follows its neighbour


def test_any_two_neighbours_meet_in_some_epoch_and_strangers_too() -> None:
    order = Order(pairs_of(12, captions=1), 4, 0, neighbours=2)
    met = {
        (int(a), int(b))
        for e in range(200)
        for batch in order.epoch(e)
        for a in batch
        for b in batch
    }
    assert len(met) == 12 * 12


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("world", [1, 2])
def test_what_fills_no_last_batch_is_counted(every: bool, world: int) -> None:
    for videos in range(8, 17):
        pairs = pairs_of(videos, captions=3)
        ranks = [Order(pairs, 4, 0, every, rank, world) for rank in range(world)]
        shown = sum(len(flat(order.epoch(0))) for order in ranks)
        wanted = len(pairs) if every else videos
        assert sum(entry.count for entry in ranks[0].left_out) == wanted - shown
        assert [entry.what for entry in ranks[0].left_out] in (
            [],
            ["caption" if every else "video"],
        )
        assert not any(entry.missing for entry in ranks[0].left_out)


def test_every_caption_shows_each_pair_once() -> None:
    order = Order(pairs_of(6), 3, 0, every_caption=True)
    assert order.batches == 6
    assert sorted(flat(order.epoch(2))) == list(range(18))


def test_a_last_batch_that_is_not_full_is_left_out() -> None:
    order = Order(pairs_of(11), 4, 0)
    assert [len(batch) for batch in order.epoch(0)] == [4, 4]


def test_too_few_videos_for_a_batch_are_refused() -> None:
    message = r"^2 videos, each once, fill no batch of 4; give --set training\.batch=2 or less"
    with pytest.raises(DataError, match=message):
        Order(pairs_of(2), 4, 0, world=2)
    with pytest.raises(DataError, match=r"^6 captions fill no batch of 7; give .*batch=6 or less"):
        Order(pairs_of(2), 7, 0, every_caption=True)


def test_a_batch_that_processes_cannot_share_evenly_is_refused() -> None:
    message = (
        r"^a batch of 4 cannot be shared evenly by 3 processes; "
        r"give --set training\.batch=6, or start another number of processes$"
    )
    with pytest.raises(DataError, match=message):
        Order(pairs_of(9), 4, 0, world=3)


def test_batches_hold_the_frames_captions_and_groups_of_their_pairs(
    footage: list[Pair], reader: FrameReader
) -> None:
    order = Order(footage, 3, 1, every_caption=True)
    batches = list(Loader(reader, order, words).epoch(0))
    assert len(batches) == 4
    for chosen, batch in zip(order.epoch(0), batches, strict=True):
        for row, index in enumerate(chosen):
            pair = footage[int(index)]
            assert f"{batch.tokens.ids[row, 0]}.{batch.tokens.ids[row, 1]}" == pair.caption
            real = batch.frames[row][batch.mask[row]].numpy()
            np.testing.assert_array_equal(real, reader.read(pair))
    of_group = {
        int(batch.video[i]): int(batch.tokens.ids[i, 0]) for batch in batches for i in range(3)
    }
    assert sorted(of_group.values()) == list(range(6)), "a group is not one video"


def test_videos_of_different_lengths_are_masked(footage: list[Pair], reader: FrameReader) -> None:
    """Fewer frames where there are no more; the rest is black and hidden."""
    (batch,) = Loader(reader, Order(footage, 6, 0), words).epoch(0)
    of_video = {pair.video: len(reader.read(pair)) for pair in footage}
    assert len(set(of_video.values())) > 1, "the clips are all as long"
    assert batch.frames.shape == (6, max(of_video.values()), 3, 96, 96)
    for video, mask in zip(batch.tokens.ids[:, 0], batch.mask, strict=True):
        assert mask.sum() == of_video[f"v{int(video)}"]
    assert (batch.frames[~batch.mask] == 0).all()
    assert (batch.mask.int().diff(dim=1) <= 0).all(), "a real frame follows a hidden one"


def test_an_epoch_can_start_in_its_middle(footage: list[Pair], reader: FrameReader) -> None:
    loader = Loader(reader, Order(footage, 2, 0, every_caption=True), words)
    whole = list(loader.epoch(4))
    for start in range(7):
        rest = list(loader.epoch(4, start))
        assert len(rest) == 6 - start
        for got, wanted in zip(rest, whole[start:], strict=True):
            assert torch.equal(got.tokens.ids, wanted.tokens.ids)
            assert torch.equal(got.frames, wanted.frames)
            assert torch.equal(got.video, wanted.video)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(footage: list[Pair], reader: FrameReader, threads: int) -> None:
    order = Order(footage, 4, 0, every_caption=True)
    for got, wanted in zip(
        Loader(reader, order, words, threads).epoch(0),
        Loader(reader, order, words).epoch(0),
        strict=True,
    ):
        assert torch.equal(got.frames, wanted.frames)


def test_frames_are_the_middles_of_equal_spans(ten_seconds: Path, reader: FrameReader) -> None:
    whole = reader.read(Pair(video="v", path=ten_seconds, caption="c"))
    assert [number_of(frame) for frame in whole] == [25, 75, 125, 175, 225]


@pytest.mark.parametrize(
    ("start", "end", "middles"),
    [
        (2.0, 4.0, [2.2, 2.6, 3.0, 3.4, 3.8]),
        (0.0, 1.0, [0.1, 0.3, 0.5, 0.7, 0.9]),
        (9.0, None, [9.1, 9.3, 9.5, 9.7, 9.9]),
        (9.0, 60.0, [9.1, 9.3, 9.5, 9.7, 9.9]),
    ],
    ids=["middle", "beginning", "open end", "end after the video"],
)
def test_frames_of_a_span_are_from_the_span(
    ten_seconds: Path, reader: FrameReader, start: float, end: float | None, middles: list[float]
) -> None:
    span = reader.read(Pair(video="v", path=ten_seconds, caption="c", start=start, end=end))
    wanted = [int(np.floor(round(middle / FRAME, 6))) for middle in middles]
    assert [number_of(frame) for frame in span] == wanted


def test_a_span_without_a_frame_is_named(ten_seconds: Path, reader: FrameReader) -> None:
    pair = Pair(video="v", path=ten_seconds, caption="c", start=20.0, end=30.0)
    with pytest.raises(MediaError, match=r"ten\.mp4: no frame .* was uniform 5 from 20.0 to 30.0"):
        reader.read(pair)


def test_readable_names_what_cannot_be_read_and_keeps_the_rest(
    tmp_path: Path, footage: list[Pair], ten_seconds: Path, reader: FrameReader
) -> None:
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    broken = [
        Pair(video=name, path=tmp_path / f"{name}.mp4", caption=f"{name} {i}")
        for name in ("noise", "empty", "gone", "folder")
        for i in range(2)
    ]
    spans = [
        Pair(video=video, path=ten_seconds, caption="c", start=start, end=start + 1)
        for video, start in (("t", 1.0), ("t far", 50.0))
    ]
    kept, faults = readable(reader, [*broken[:4], *footage, *broken[4:], *spans])
    assert kept == [*footage, spans[0]]
    assert faults.keys() == {"noise", "empty", "gone", "folder", "t far"}
    assert all(reason and "\n" not in reason for reason in faults.values())
    assert faults["gone"] == "cannot be read: No such file or directory"


def test_readable_says_the_same_without_a_cache(tmp_path: Path, footage: list[Pair]) -> None:
    gone = Pair(video="gone", path=tmp_path / "gone.mp4", caption="c")
    with FrameReader(SQUASHED, 2, None) as plain:
        kept, faults = readable(plain, [gone, footage[0]])
    assert kept == [footage[0]]
    assert faults.keys() == {"gone"}


def test_a_broken_video_in_a_batch_is_named(tmp_path: Path, reader: FrameReader) -> None:
    (tmp_path / "v0.mp4").write_bytes(b"no video")
    pairs = [Pair(video="v0", path=tmp_path / "v0.mp4", caption="0.0")]
    with pytest.raises(MediaError, match=r"v0\.mp4: "):
        list(Loader(reader, Order(pairs, 1, 0), words).epoch(0))


def test_epochs_use_the_same_decoders(footage: list[Pair]) -> None:
    """Without a cache: each decoder is a process, and threads end with the epoch."""
    with FrameReader(SQUASHED, 2, None) as plain:
        loader = Loader(plain, Order(footage, 3, 0), words)
        for epoch in range(3):
            list(loader.epoch(epoch))
        workers = [decoder.worker() for decoder in plain._idle]
        assert 1 <= len(workers) <= 2
    assert not any(worker.is_running() for worker in workers)


def test_an_epoch_that_is_left_does_not_decode_what_was_ahead(
    tmp_path: Path, ten_seconds: Path
) -> None:
    cache = FrameCache(tmp_path / "cache")
    spans = [
        Pair(video=str(n), path=ten_seconds, caption=f"{n}.0", start=n / 10, end=n / 10 + 1)
        for n in range(80)
    ]
    with FrameReader(SQUASHED, 4, cache) as reader:
        epoch = Loader(reader, Order(spans, 10, 0), words, threads=1).epoch(0)
        next(epoch)
        epoch.close()
    assert 10 <= len(list(cache.folder.iterdir())) < 20


def test_stack_pads_with_black() -> None:
    clips = [np.full((n, 3, 4, 4), 9, np.uint8) for n in (1, 3)]
    batch = stack(clips, words(["0.0", "1.0"]), torch.tensor([0, 1]))
    assert batch.mask.tolist() == [[True, False, False], [True, True, True]]
    assert batch.frames.sum(dim=(2, 3, 4)).tolist() == [[432, 0, 0], [432, 432, 432]]


def slide(number: int) -> np.ndarray:
    return np.full((64, 64, 3), 40 * (number + 1), np.uint8)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Sequence[float]], Path]:
    """Writes videos whose frame n, of brightness 40 (n + 1), comes at the n-th of some times."""
    folder = tmp_path_factory.mktemp("slow")

    def write(name: str, times: Sequence[float]) -> Path:
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("libx264", rate=30, options={"bf": "0"})
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            for number, time in enumerate(times):
                frame = av.VideoFrame.from_ndarray(slide(number), format="rgb24")
                frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return folder / name

    return write


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("times", "start", "end", "seen"),
    [
        ([0], 0.0, None, [1]),
        ([0, 0.1], 0.0, None, [1, 2]),
        ([0, 10, 20, 30], 0.0, None, [1, 2, 3, 4]),
        ([0, 10, 20, 30], 12.0, 18.0, [2]),
        ([0, 10, 20, 30], 10.0, 20.0, [2]),
        ([0, 10, 20, 30], 9.0, 21.0, [1, 2, 3]),
        ([0, 0.2, 60], 0.0, None, [1, 2, 3]),
        ([0, 0.2, 60], 10.0, 20.0, [2]),
    ],
)
def test_a_slow_video_shows_each_picture_until_the_next(
    suffix: str,
    times: list[float],
    start: float,
    end: float | None,
    seen: list[int],
    slow: Callable[[str, Sequence[float]], Path],
) -> None:
    path = slow(f"{len(times)}-{start}.{suffix}", times)
    with FrameReader(Pixels(size=32), 12, None) as plain:
        frames = plain.read(Pair(video="v", path=path, caption="c", start=start, end=end))
    assert np.round(frames.mean(axis=(1, 2, 3)) / 40).tolist() == seen


def test_a_still_gif_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    Image.fromarray(slide(0)).save(tmp_path / "still.gif")
    with FrameReader(Pixels(size=32), 12, None) as plain:
        frames = plain.read(Pair(video="v", path=tmp_path / "still.gif", caption="c"))
    assert frames.shape == (1, 3, 32, 32)
    assert frames.mean() == pytest.approx(40, abs=2)


def test_a_part_that_a_file_lacks_is_not_shown_as_its_last_frame(
    tmp_path: Path, ten_seconds: Path, reader: FrameReader
) -> None:
    """A file that says it has ten seconds, and ends after some of them."""
    whole = write_numbered(tmp_path / "whole.mkv")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    pair = Pair(video="v", path=cut, caption="c", start=8.0, end=9.0)
    assert len(reader.read(replace(pair, start=0.0, end=2.0))) == 5
    with pytest.raises(MediaError, match=r"cut\.mkv: no frame .* was uniform 5 from 8\.0 to 9\.0"):
        reader.read(pair)


def test_the_card_says_by_which_rule_frames_are_taken() -> None:
    assert FrameReader(SQUASHED, 12, None).policy == "uniform 12 as shown"
