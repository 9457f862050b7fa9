"""Visual tokens of Violet: a codebook fitted on patches, and the public dVAE; and what masking
hides."""

import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from oracles.slow_masking import chance_covered, chance_drawn
from reeltune.errors import CheckpointError
from reeltune.models._violet import dvae
from reeltune.models._violet.codes import Codebook, nearest, patches_of, shrunk
from reeltune.models._violet.dvae import read_encoder
from reeltune.models._violet.masking import (
    choose_by_attention,
    choose_words,
    cover,
    hide,
    mask_blocks,
)
from reeltune.types import Tokens

pytestmark = pytest.mark.usefixtures("one_thread")


def frames(count: int = 3, size: int = 32) -> Tensor:
    source = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=source)


def test_a_patch_is_what_lies_at_its_place() -> None:
    """Frames are brought to 8 pixels for each place; these have that size already."""
    picture = frames(1, 16)
    patches = patches_of(picture, 2)
    for number, (row, column) in enumerate([(0, 0), (0, 8), (8, 0), (8, 8)]):
        wanted = picture[0, :, row : row + 8, column : column + 8].flatten() / 255
        torch.testing.assert_close(patches[0, number], wanted)
    assert shrunk(frames(2, 32), 2).shape == (2, 3, 16, 16)


def test_a_token_is_the_number_of_the_nearest_centre() -> None:
    torch.manual_seed(0)
    book = Codebook(5)
    found = book.tokens(frames(), 2)
    assert found.shape == (3, 4)
    for row, patches in zip(found, patches_of(frames(), 2), strict=True):
        for token, patch in zip(row.tolist(), patches, strict=True):
            distances = [float(((patch - centre) ** 2).sum()) for centre in book.centres]
            assert token == distances.index(min(distances))


def test_a_codebook_finds_the_kinds_of_patches_that_there_are() -> None:
    torch.manual_seed(1)
    kinds = torch.rand(6, 192)
    patches = kinds.repeat_interleave(40, dim=0) + 0.01 * torch.randn(240, 192)
    book = Codebook(12)
    before = book.centres.clone()
    book.fit(patches)
    centres = book.centres
    assert not centres.equal(before)
    to_kinds = torch.cdist(kinds, centres).min(dim=1).values
    assert float(to_kinds.max()) < 0.2, "each kind has a centre"
    near = nearest(patches, centres).view(6, 40)
    for first in range(6):
        for second in range(first):
            assert not set(near[first].tolist()) & set(near[second].tolist())


def test_a_codebook_is_one_round_of_means_further_than_where_it_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reeltune.models._violet.codes.ROUNDS", 1)
    patches, book = torch.rand(30, 192), Codebook(4)
    torch.manual_seed(3)
    begun = patches[torch.randperm(30)[:4]]
    torch.manual_seed(3)
    book.fit(patches)
    for number in range(4):
        mine = [p for p in patches if int(((begun - p) ** 2).sum(dim=1).argmin()) == number]
        torch.testing.assert_close(book.centres[number], torch.stack(mine).mean(dim=0))


def test_fewer_patches_than_codes_still_give_every_code_a_centre() -> None:
    book, patches = Codebook(9), torch.rand(4, 192)
    book.fit(patches)
    assert all(bool((patches - centre).abs().sum(dim=1).min() < 1e-5) for centre in book.centres)


class Conv2d(nn.Module):
    """A convolution as the public package has it."""

    def __init__(self, read: int, made: int, side: int) -> None:
        super().__init__()
        self.n_in, self.n_out, self.kw = read, made, side
        self.use_float16, self.device, self.requires_grad = True, torch.device("cpu"), False
        self.w = nn.Parameter(torch.randn(made, read, side, side) / (read * side**2) ** 0.5)
        self.b = nn.Parameter(torch.randn(made) / 10)

    def forward(self, pictures: Tensor) -> Tensor:
        return F.conv2d(pictures, self.w, self.b, padding=(self.kw - 1) // 2)


class EncoderBlock(nn.Module):
    def __init__(self, read: int, made: int) -> None:
        super().__init__()
        narrow = made // 4
        self.post_gain = 1 / 64
        self.id_path = Conv2d(read, made, 1) if read != made else nn.Identity()
        steps: list[tuple[str, nn.Module]] = []
        shapes = [(read, narrow, 3), (narrow, narrow, 3), (narrow, narrow, 3), (narrow, made, 1)]
        for number, shape in enumerate(shapes, start=1):
            steps += [(f"relu_{number}", nn.ReLU()), (f"conv_{number}", Conv2d(*shape))]
        self.res_path = nn.Sequential(OrderedDict(steps))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.id_path(pictures) + self.post_gain * self.res_path(pictures)


class Encoder(nn.Module):
    """The encoder as the public package has it, narrow and with few tokens."""

    def __init__(self, width: int = 8, codes: int = 11) -> None:
        super().__init__()
        self.n_hid, self.vocab_size, self.device = width, codes, torch.device("cpu")
        groups: list[tuple[str, nn.Module]] = [("input", Conv2d(3, width, 7))]
        read = width
        for number in range(4):
            made = width * 2**number
            inside: list[tuple[str, nn.Module]] = [
                ("block_1", EncoderBlock(read, made)),
                ("block_2", EncoderBlock(made, made)),
            ]
            inside += [("pool", nn.MaxPool2d(kernel_size=2))] if number < 3 else []
            groups.append((f"group_{number + 1}", nn.Sequential(OrderedDict(inside))))
            read = made
        last = [("relu", nn.ReLU()), ("conv", Conv2d(read, codes, 1))]
        groups.append(("output", nn.Sequential(OrderedDict(last))))
        self.blocks = nn.Sequential(OrderedDict(groups))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.blocks(pictures)


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Encoder:
    """Its classes bear the names under which the file of the release was pickled."""
    monkeypatch.setitem(sys.modules, "dall_e", ModuleType("dall_e"))
    for home, classes in {"utils": [Conv2d], "encoder": [EncoderBlock, Encoder]}.items():
        module = ModuleType(f"dall_e.{home}")
        for one in classes:
            setattr(module, one.__name__, one)
            monkeypatch.setattr(one, "__module__", module.__name__)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    torch.manual_seed(0)
    return Encoder()


@torch.no_grad()
def test_the_pickled_encoder_of_the_dvae_is_read_without_running_it(
    public: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(public, tmp_path / "encoder.pkl")
    for home in ("dall_e.encoder", "dall_e.utils", "dall_e"):  # who reads it has no such package
        monkeypatch.delitem(sys.modules, home)
    encoder = read_encoder(tmp_path / "encoder.pkl")
    pictures = torch.rand(2, 3, 24, 24)
    torch.testing.assert_close(encoder(pictures), public(pictures))
    squeezed = 0.1 + 0.8 * shrunk(frames(), 4)
    assert encoder.tokens(frames(), 4).equal(public(squeezed).argmax(dim=1).flatten(1))
    assert not any(weight.requires_grad for weight in encoder.parameters())


@torch.no_grad()
def test_weights_of_the_dvae_by_name_are_read_too(public: Encoder, tmp_path: Path) -> None:
    torch.save(public.state_dict(), tmp_path / "encoder.pt")
    pictures = torch.rand(1, 3, 16, 16)
    found = read_encoder(tmp_path / "encoder.pt")(pictures)
    torch.testing.assert_close(found, public(pictures))


def test_the_released_encoder_has_its_size() -> None:
    with torch.device("meta"):
        encoder = dvae.Encoder()
    assert sum(weight.numel() for weight in encoder.parameters()) == 53_786_240


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"blocks.input.w": torch.ones(1)}, r"holds no weights of the encoder of a dVAE; give"),
        (
            {"blocks.input.w": torch.ones(8), "blocks.output.conv.w": torch.ones(5)},
            r"does not fit the encoder \(.*group_1.*\); give the file encoder.pkl",
        ),
        (torch.ones(2), r"holds no weights of the encoder"),
        (nn.LSTM(1, 1), r"cannot be read as the encoder of a dVAE \(.*\); give"),
    ],
    ids=["few", "other shapes", "a tensor", "another module"],
)
def test_what_is_no_dvae_is_refused(content: object, told: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "encoder.pkl")
    with pytest.raises(CheckpointError, match=told):
        read_encoder(tmp_path / "encoder.pkl")


@pytest.mark.parametrize(("count", "side"), [(4, 7), (2, 3), (1, 4), (3, 1)])
def test_blocks_cover_places_as_often_as_all_blocks_there_can_be(count: int, side: int) -> None:
    torch.manual_seed(0)
    draws = 3000
    covered = mask_blocks(torch.ones(draws, count, dtype=torch.bool), side)
    wanted = chance_covered(count, side)
    spread = np.sqrt(wanted * (1 - wanted) / draws)
    found = covered.float().mean(dim=0).numpy()
    assert np.all(np.abs(found - wanted) <= 5 * spread + 1e-6)


def test_hidden_frames_are_not_covered_wherever_they_stand() -> None:
    torch.manual_seed(0)
    seen = torch.tensor([[True, False, True, True], [False, True, False, False]])
    for _ in range(50):
        covered = mask_blocks(seen, 4)
        assert covered.flatten(2).any(dim=2)[~seen].sum() == 0
        assert covered[seen].any()


def test_covered_places_are_black_and_the_others_as_they_were() -> None:
    clip = frames(2, 12)[None] | 1
    covered = torch.zeros(1, 2, 3, 3, dtype=torch.bool)
    covered[0, 1, 2, 0] = True
    found = cover(clip, covered)
    assert not found[0, 1, :, 8:, :4].any()
    clip[0, 1, :, 8:, :4] = 0
    assert found.equal(clip)


def test_every_word_that_is_chosen_becomes_the_mask_and_no_other() -> None:
    torch.manual_seed(0)
    ids = torch.tensor([[101, 7, 8, 9, 10, 102], [101, 7, 102, 0, 0, 0], [101, 102, 0, 0, 0, 0]])
    text, many = Tokens(ids, ids > 0), 400
    chosen = torch.zeros(ids.shape)
    for _ in range(many):
        found = hide(text, choose_words(text, 0.15), 103)
        hidden = found.labels != -1
        assert found.ids.equal(torch.where(hidden, 103, ids))
        assert found.labels.equal(torch.where(hidden, ids, -1))
        chosen += hidden
    inner = torch.tensor([[0, 1, 1, 1, 1, 0], [0, 1, 0, 0, 0, 0], [0] * 6]).bool()
    assert not chosen[~inner].any()
    assert chosen[1, 1] == many, "a text with a single word hides it"
    some = 0.15 / (1 - 0.85**4)  # drawn again until one is chosen
    assert float(chosen[0, 1:5].mean()) / many == pytest.approx(some, abs=0.04)


def test_what_is_looked_at_is_hidden_as_often_as_draws_without_return_have_it() -> None:
    torch.manual_seed(0)
    ids = torch.tensor([[101, 7, 8, 102], [101, 7, 102, 0]])
    seen = torch.tensor([[True, True], [True, False]])
    words, places = torch.rand(2, 4), torch.rand(2, 2, 5)  # a frame's whole, then four places
    text, many = Tokens(ids, ids > 0), 1000
    found = torch.zeros(2, 2 + 2 * 4)
    for _ in range(many):
        chosen, covered = choose_by_attention(words, places, text, seen, 0.3)
        assert not chosen[:, [0, 3]].any(), "[CLS] and [SEP]"
        assert not chosen[1, 2], "[SEP] of a shorter text"
        assert not covered[1, 1].any(), "a frame that is not there"
        found += torch.cat([chosen[:, 1:3], covered.flatten(1)], dim=1)
    looked = torch.cat([words[:, 1:3], places[:, :, 1:].flatten(1)], dim=1)
    looked[1, 1], looked[1, 6:] = 0, 0
    for row, real in enumerate([4 + 2 * 5, 3 + 5]):
        wanted = chance_drawn(looked[row].tolist(), int(0.3 * real))
        spread = np.sqrt(wanted * (1 - wanted) / many)
        assert np.all(np.abs(found[row].numpy() / many - wanted) <= 5 * spread + 1e-6)
