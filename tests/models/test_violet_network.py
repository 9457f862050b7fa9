"""The network of Violet: its size, and what its layers make of a text and a video."""

import pytest
import torch
from torch import Tensor, nn

from oracles.slow_violet import slow_looks
from reeltune.models._violet.network import Network, Sizes, head
from reeltune.models._violet.swin import SwinSizes

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = Sizes(
    swin=SwinSizes(width=8, depths=(1, 2), heads=(2, 2), window=2),
    places=17,
    frames=4,
    vocabulary=30,
    words=16,
    layers=2,
    heads=2,
    codes=12,
)


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_the_released_network_has_the_size_of_its_parts() -> None:
    with torch.device("meta"):
        network = Network(Sizes())
        answers = {count(head(768, 1000)), count(head(768, 1540))}
    assert count(network.enc_img.swin) == 49_509_078
    assert count(network.enc_txt) == 23_837_184
    assert count(network.trsfr) == 85_054_464
    assert count(network.fc) == 1_182_721
    assert count(network.fc_mtm) == 24_063_546
    assert count(network.fc_mvm) == 13_772_288
    tables = 768 + 197 * 768 + 6 * 768 + 2 * 768  # of places and frames, and a norm
    assert count(network.enc_img) == 49_509_078 + tables
    assert count(network) == 197_577_489
    assert answers == {2_718_184, 3_548_164}


@pytest.mark.parametrize(
    ("changes", "heads"),
    [
        ({}, set()),
        ({"chooses": True}, {"fc_mc.1", "fc_mc.3"}),
        ({"answers": 5}, {"fc_oe.1", "fc_oe.3"}),
        ({"fits": True}, {"codebook"}),
    ],
    ids=["retrieval", "choice", "answers", "codebook"],
)
def test_heads_are_there_for_what_is_asked(changes: dict[str, object], heads: set[str]) -> None:
    settings = {name: getattr(SMALL, name) for name in Sizes.__dataclass_fields__}
    names = {
        name.rpartition(".")[0] for name in Network(Sizes(**(settings | changes))).state_dict()
    }
    assert names - {n.rpartition(".")[0] for n in Network(SMALL).state_dict()} == heads


def network() -> Network:
    torch.manual_seed(0)
    return Network(SMALL).double().eval()


def read(model: Network) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    source = torch.Generator().manual_seed(1)
    clips = torch.randint(0, 256, (2, 3, 3, 16, 16), dtype=torch.uint8, generator=source)
    ids = torch.randint(1, 30, (2, 6), generator=source)
    words = torch.arange(6) < torch.tensor([[6], [4]])
    return clips, torch.tensor([[True, True, True], [True, True, False]]), ids, words


@torch.no_grad()
def test_layers_see_a_video_and_a_text_in_whatever_order_they_stand() -> None:
    """The release puts the video first."""
    model = network()
    clips, seen, ids, words = read(model)
    text, video = model.read_text(ids, words), model.read_video(clips, seen)
    assert video.states.shape == (2, 3 * (1 + 4), 16)
    fused_text, fused_video = model.fuse(text, video)
    for row in range(2):
        parts = [video.states[row][video.mask[row]], text.states[row][text.mask[row]]]
        states = torch.cat(parts)[None]
        alone = model.trsfr(states, torch.zeros(1, 1, 1, states.shape[1], dtype=states.dtype))[0]
        first, then = alone.split([len(part) for part in parts])
        torch.testing.assert_close(fused_video[row][video.mask[row]], first)
        torch.testing.assert_close(fused_text[row][text.mask[row]], then)


@torch.no_grad()
def test_what_is_looked_at_is_what_every_real_place_looks_at_in_each_layer() -> None:
    model = network()
    clips, seen, ids, words = read(model)
    text, video = model.read_text(ids, words), model.read_video(clips, seen)
    of_words, of_video = model.looked_at(text, video)
    for row in range(2):
        parts = video.states[row][video.mask[row]], text.states[row][text.mask[row]]
        wanted_video, wanted_words = slow_looks(model, *parts)
        torch.testing.assert_close(of_video[row][video.mask[row]], wanted_video)
        torch.testing.assert_close(of_words[row][text.mask[row]], wanted_words)
        assert not of_video[row][~video.mask[row]].any()


@torch.no_grad()
def test_a_summary_is_the_fused_state_of_the_first_word() -> None:
    model = network()
    clips, seen, ids, words = read(model)
    text, video = model.read_text(ids, words), model.read_video(clips, seen)
    torch.testing.assert_close(model.summary(text, video), model.fuse(text, video)[0][:, 0])


@torch.no_grad()
def test_a_frame_is_a_state_for_all_of_it_and_one_for_each_place_with_where_and_when() -> None:
    model = network()
    clips, seen, _, _ = read(model)
    encoder = model.enc_img
    colour = clips.double() / 255
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64)[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)[:, None, None]
    places = encoder.swin((colour - mean) / std, seen)  # (B, T, 2, 2, D)
    found = encoder(clips, seen)
    for frame in range(3):
        when = encoder.emb_len[0, frame, 0]
        whole = encoder.emb_cls[0, 0, 0] + encoder.emb_pos[0, 0, 0] + when
        torch.testing.assert_close(found[0, frame, 0], encoder.norm(whole))
        for number, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
            state = places[0, frame, row, column] + encoder.emb_pos[0, 0, 1 + number] + when
            torch.testing.assert_close(found[0, frame, 1 + number], encoder.norm(state))
