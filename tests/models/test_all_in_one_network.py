"""The network of All-in-one: counts, the temporal roll and the passes against slow versions."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from oracles.slow_all_in_one import slow_fused, slow_roll, slow_text, slow_video
from reeltune.models._all_in_one.network import Network, Sizes
from reeltune.models._all_in_one.transformer import Clips, Roll, VitSizes, times_of
from reeltune.models._bert.sequence import Sequence

CLOSE = {"atol": 1e-10, "rtol": 1e-9}
SMALL = VitSizes(width=8, layers=2, heads=2, image=16, patch=4, frames=4, dropout=0.1)
pytestmark = pytest.mark.usefixtures("one_thread")


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def network(**changes: object) -> Network:
    """With weights of the size of 1, biases and norms included, so that nothing is 0 by chance."""
    sizes = Sizes(replace(SMALL), vocabulary=20, words=9, dim=6, **changes)  # type: ignore[arg-type]
    built, source = Network(sizes), torch.Generator().manual_seed(0)
    for weight in built.parameters():
        weight.data = 0.5 * torch.randn(weight.shape, generator=source, dtype=torch.float64)
    return built.double().eval()


def clips(lengths: list[int]) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(1)
    shape = (len(lengths), max(lengths), 3, SMALL.image, SMALL.image)
    frames = torch.randint(0, 256, shape, generator=source).byte()
    return frames, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def texts(lengths: list[int]) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(2)
    ids = torch.randint(5, 20, (len(lengths), max(lengths)), generator=source)
    return ids, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def read(model: Network, words: list[int], frames: list[int]) -> tuple[Sequence, Clips]:
    return model.read_text(*texts(words)), model.read_frames(*clips(frames))


def test_the_released_sizes_have_the_released_counts() -> None:
    with torch.device("meta"):
        whole = Network(Sizes(chooses=True, answers=1001))
    parts = {
        "transformer": 85_800_960,
        "text_embeddings": 23_474_688,
        "token_type_embeddings": 1_536,
        "pooler": 590_592,
        "mlm_score": 24_063_546,
        "itm_score": 1_538,
    }
    for name, wanted in parts.items():
        assert count(getattr(whole, name)) == wanted, name
    assert sum(parts.values()) == 133_932_860
    assert count(whole.txt_proj) + count(whole.vid_proj) == 787_456
    assert whole.mc_vqa_classifier is not None
    assert whole.vqa_classifier is not None
    options, answers = count(whole.mc_vqa_classifier), count(whole.vqa_classifier)
    assert options == 768 * 256 + 256 + 2 * 256 + 256 + 1
    assert answers == 768 * 384 + 384 + 2 * 384 + 384 * 1001 + 1001
    assert count(whole) == 133_932_860 + 787_456 + options + answers


def test_the_roll_equals_its_slow_version_for_clips_of_any_length() -> None:
    """Two patches roll at each end where there are 17 places, and 24 where there are 197."""
    source = torch.Generator().manual_seed(0)
    for places in (9, 17, 197):
        lengths = [1, 3, 2, 5]
        mask = torch.arange(5) < torch.tensor(lengths)[:, None]
        frames = torch.randn(sum(lengths), places, 2, generator=source)
        rolled = Roll.of(mask)(frames)
        start = 0
        for length in lengths:
            one = slice(start, start + length)
            slow = slow_roll([list(frame) for frame in frames[one]])
            wanted = torch.stack([torch.stack(frame) for frame in slow])
            assert torch.equal(rolled[one], wanted)
            start += length
        moved = (rolled != frames).any(dim=2)[1:4].any(dim=0)  # in the clip of three
        assert int(moved.sum()) == 2 * (places // 8)


def test_the_passes_equal_their_slow_versions() -> None:
    model = network()
    words, lengths = [5, 2, 4], [3, 1, 4]
    with torch.no_grad():
        text, video = read(model, words, lengths)
        fused = model.transformer.fuse(text, video)
        of_texts, of_videos = model.text_vectors(text), model.video_vectors(video)
        (ids, _), (frames, _) = texts(words), clips(lengths)
        for row in range(3):
            mine, seen = ids[row, : words[row]], frames[row, : lengths[row]]
            found = fused[row, : words[row]]
            torch.testing.assert_close(found, slow_fused(model, mine, seen), **CLOSE)
            torch.testing.assert_close(of_texts[row], slow_text(model, mine), **CLOSE)
            torch.testing.assert_close(of_videos[row], slow_video(model, seen), **CLOSE)
    assert fused.std() > 0.1


def test_hidden_frames_and_padding_change_nothing() -> None:
    model = network()
    frames, mask = clips([4, 2])
    ids, there = texts([6, 3])
    with torch.no_grad():
        text = model.read_text(ids, there)
        found = model.match(text, model.read_frames(frames, mask))
        noise = torch.where(mask[:, :, None, None, None], frames, 255 - frames)
        torch.testing.assert_close(
            model.match(text, model.read_frames(noise, mask)), found, **CLOSE
        )
        alone = model.read_text(ids[1:, :3], there[1:, :3])
        short = model.read_frames(frames[1:, :2], mask[1:, :2])
        torch.testing.assert_close(model.match(alone, short), found[1:], **CLOSE)


def test_frames_meet_by_the_roll_alone_and_their_order_matters() -> None:
    model = network()
    model.transformer.temporal_embed.data.zero_()  # which also tells times apart
    frames, mask = clips([4])
    with torch.no_grad():
        text = model.read_text(*texts([5]))
        video, turned = (model.read_frames(order, mask) for order in (frames, frames.flip(1)))
        assert (model.match(text, video) - model.match(text, turned)).abs() > 1e-3
        vectors = model.video_vectors(video)
        torch.testing.assert_close(model.video_vectors(turned), vectors, **CLOSE)


@pytest.mark.parametrize("length", [1, 3, 4, 5, 9])
def test_each_frame_has_its_row_of_the_table_of_times_or_its_share_of_it(length: int) -> None:
    found = times_of(torch.ones(1, length, dtype=torch.bool), 4)[0].tolist()
    wanted = range(length) if length <= 4 else [place * 4 // length for place in range(length)]
    assert found == list(wanted)


def test_every_weight_gets_a_gradient_that_is_not_zero() -> None:
    model = network(chooses=True, answers=2)
    assert model.mc_vqa_classifier is not None
    assert model.vqa_classifier is not None
    text, video = read(model, [6, 4], [3, 4])
    fused = model.transformer.fuse(text, video)
    summary = model.pooler(fused)
    found = [
        model.text_vectors(text) @ model.video_vectors(video).T,
        model.itm_score(summary),
        model.mlm_score(fused),
        model.mc_vqa_classifier(summary),
        model.vqa_classifier(summary),
    ]
    sum(one.sin().sum() for one in found).backward()  # type: ignore[union-attr]
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name


def test_dropout_and_paths_that_are_left_out_are_for_training_alone() -> None:
    model = network()
    text, video = read(model, [5], [3])
    with torch.no_grad():
        assert torch.equal(model.match(text, video), model.match(text, video))
        model.train()
        assert not torch.equal(model.match(text, video), model.match(text, video))
