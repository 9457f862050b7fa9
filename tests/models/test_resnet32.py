"""ResNet-32: its size, its shortcuts, and how it reads and varies pictures."""

import re
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models import resnet32
from reeltune.models._resnet32.network import Block, cosines
from reeltune.models._resnet32.varied import moved, varied
from reeltune.models.opening.material import Material
from reeltune.objectives.mixup import mix, mixup
from reeltune.objectives.rotation import draw_turns, rotation, turned
from reeltune.types import Batch

LABEL = torch.tensor([0, 1, 2])


@pytest.fixture
def model() -> resnet32.Resnet32:
    return resnet32.Config.tiny().build()


def batch_of(model: resnet32.Resnet32, frames: int = 1) -> Batch:
    levels = torch.randint(0, 256, (3, frames, model.config.features)).float()
    mask = torch.ones(3, frames).bool()
    return Batch(levels, mask, model.tokenize(["a"] * 3), torch.arange(3), {"label": LABEL})


@pytest.mark.parametrize(("classes", "weights"), [(100, 470_004), (10, 464_154)])
def test_it_has_the_weights_of_the_paper(classes: int, weights: int) -> None:
    answers = tuple(f"thing {number}" for number in range(classes))
    model = resnet32.Config(answers=answers).build()
    assert sum(weight.numel() for weight in model.parameters()) == weights
    layers = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == 32


def test_a_shortcut_skips_every_second_place_and_adds_channels_of_zeros() -> None:
    block = Block(4, 8).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    states = torch.randn(2, 4, 6, 6)
    found = block(states)
    assert found.shape == (2, 8, 3, 3)
    for channel in range(8):
        for row in range(3):
            for column in range(3):
                inside = 2 <= channel < 6
                wanted = states[:, channel - 2, 2 * row, 2 * column].relu() if inside else 0
                assert torch.equal(found[:, channel, row, column], torch.zeros(2) + wanted)


def test_the_fixed_head_has_rows_of_length_one_at_right_angles() -> None:
    rows = cosines(4, 64)
    torch.testing.assert_close(rows @ rows.T, torch.eye(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(rows.sum(dim=1), torch.zeros(4), atol=1e-6, rtol=0)


def test_losses_are_those_of_the_pictures_by_hand(model: resnet32.Resnet32) -> None:
    batch = batch_of(model)
    torch.manual_seed(3)
    found = model.losses(batch)
    assert list(found) == ["action", "mixup", "rotation"]
    mean, std = (torch.tensor(of).view(3, 1, 1) for of in (resnet32.MEAN, resnet32.STD))
    pictures = (batch.frames.view(3, 3, 8, 8) / 255 - mean) / std
    torch.manual_seed(3)
    network = model.network
    mixed, turns = mix(pictures, LABEL, 1.0), draw_turns(3)
    wanted = {
        "action": F.cross_entropy(network.linear(network(pictures)), LABEL),
        "mixup": mixup(network.linear(network(mixed.pictures)), mixed),
        "rotation": rotation(network.turn_scores(network(turned(pictures, turns))), turns),
    }
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)


@torch.no_grad()
def test_frames_and_stored_levels_are_the_same_pictures(model: resnet32.Resnet32) -> None:
    frames, mask = torch.randint(0, 256, (2, 1, 3, 8, 8)).byte(), torch.ones(2, 1).bool()
    found = model.read_video(frames, mask)
    torch.testing.assert_close(found, model.read_video(frames.flatten(2).float(), mask))


@torch.no_grad()
def test_scores_of_a_clip_are_the_mean_of_those_of_its_frames(model: resnet32.Resnet32) -> None:
    frames = torch.randint(0, 256, (1, 5, 192)).float()
    whole = model.classify(model.read_video(frames, torch.ones(1, 5).bool()))
    alone = model.classify(model.read_video(frames.transpose(0, 1), torch.ones(5, 1).bool()))
    torch.testing.assert_close(whole[0], alone.mean(dim=0))


def test_a_moved_picture_shows_what_lies_there_and_zeros_around() -> None:
    pictures = torch.randn(4, 3, 8, 8)
    shifts = torch.tensor([[0, 0], [2, 1], [1, 1], [0, 2]])
    mirrored = torch.tensor([False, True, False, True])
    found = moved(pictures, shifts, mirrored, 1)
    for n in range(4):
        for row in range(8):
            for column in range(8):
                across = 7 - column if mirrored[n] else column
                y, x = row + int(shifts[n, 0]) - 1, across + int(shifts[n, 1]) - 1
                inside = 0 <= y < 8 and 0 <= x < 8
                wanted = pictures[n, :, y, x] if inside else torch.zeros(3)
                assert torch.equal(found[n, :, row, column], wanted)


def test_pictures_are_varied_in_training_alone(model: resnet32.Resnet32) -> None:
    batch = batch_of(model)
    plain = resnet32.Config.tiny().model_copy(update={"tasks": (), "varies": False})
    still = resnet32.Resnet32(plain)
    still.load_state_dict(model.state_dict())
    assert model.losses(batch)["action"] == still.eval().losses(batch)["action"]
    assert model.train().losses(batch)["action"] != still.train().losses(batch)["action"]
    pictures = torch.randn(64, 3, 32, 32)
    changed = (varied(pictures) != pictures).flatten(1).any(dim=1)
    assert changed.float().mean() > 0.9


def test_what_does_not_fit_is_refused_in_one_sentence(model: resnet32.Resnet32) -> None:
    with pytest.raises(ValueError, match=r"features is 100, and a picture has 3 S S levels"):
        resnet32.Config(features=100)
    with pytest.raises(DataError, match=r"pictures have 12 levels, and the model reads 192; train"):
        model.read_video(torch.zeros(1, 1, 12), torch.ones(1, 1).bool())
    with pytest.raises(DataError, match="there is no text at all; give one for each clip"):
        model.tokenize([])
    with pytest.raises(ConfigError, match=r"width 12, .*; give --set config\.features=12 where"):
        model.config.start(Material(width=12))
    with pytest.raises(CheckpointError, match="no weights of its own; give a folder that training"):
        resnet32.load(None)


def test_it_runs_in_float32_alone(model: resnet32.Resnet32, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    wanted = re.escape("resnet32 runs in float32 alone, got dtype 'bf16'; leave it out")
    with pytest.raises(ConfigError, match=wanted):
        resnet32.load(tmp_path, dtype="bf16")


def test_a_setting_of_mixup_is_not_read_without_it() -> None:
    assert "alpha" in resnet32.Config(tasks=("rotation",)).unread()
    assert "alpha" not in resnet32.Config().unread()
