"""Recipes of UniVL: the settings that papers state, their figures, and where features come from."""

from pathlib import Path

import numpy as np
import pytest

from reeltune.data.msrvtt import Config
from reeltune.errors import CheckpointError, ConfigError
from reeltune.features.index import Making
from reeltune.features.writer import FeatureWriter
from reeltune.models.opening.material import Material
from reeltune.models.univl import Config as Univl
from reeltune.recipes.read import read_recipe, recipe_names
from reeltune.runs.setup import source_of
from reeltune.settings.existing import require_there
from reeltune.tasks.finding.judge import chosen_by

CAPTIONS = ("BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr-D")
RETRIEVAL = {  # MELTR (2303.13009), tables 1, 2 and 8: R@1 R@5 R@10
    "youcook2/univl-joint": (22.2, 52.2, 66.2),
    "youcook2/univl-primary": (28.9, 57.6, 70.0),
    "youcook2/univl-meltr": (33.7, 63.1, 74.8),
    "youcook2/univl-meltr-minus": (33.4, 62.5, 73.3),
    "msrvtt-7k/univl": (26.1,),
    "msrvtt-7k/univl-joint": (20.6, 49.1, 62.9),
    "msrvtt-7k/univl-primary": (21.2, 49.6, 63.1),
    "msrvtt-7k/univl-meltr": (28.5, 55.5, 67.6),
    "msrvtt-9k/univl-joint": (27.2, 55.7, 68.7),
    "msrvtt-9k/univl-meltr": (31.1, 55.7, 68.3),
}
CAPTIONING = {  # tables 4, 5 and 7, CIDEr times 100
    "youcook2/univl-caption-primary": (16.46, 11.17, 17.57, 40.09, 127),
    "youcook2/univl-caption-meltr": (17.35, 11.98, 18.19, 41.28, 138),
    "youcook2/univl-caption-speech": (21.72, 15.93, 20.89, 45.16, 179),
    "youcook2/univl-caption-speech-primary": (23.87, 17.35, 22.35, 46.52, 181),
    "youcook2/univl-caption-speech-meltr": (24.12, 17.92, 22.56, 47.04, 190),
    "msrvtt-full/univl-caption-primary": (53.42, 41.79, 28.94, 60.78, 50.04),
    "msrvtt-full/univl-caption-meltr": (55.88, 44.17, 29.26, 62.35, 52.77),
}
ASKED = (
    "toybox",
    "cmu-mosi",
)  # and Toybox's clips to be found; the rest is of retrieval and captions
PUBLISHED = [n for n in recipe_names() if "/univl" in n and not n.startswith(ASKED)]


def test_figures_of_the_paper_are_beside_it() -> None:
    for name, figures in RETRIEVAL.items():
        assert tuple(read_recipe(name).expected.values()) == figures
    for name, figures in CAPTIONING.items():
        assert read_recipe(name).expected == dict(zip(CAPTIONS, figures, strict=True))
    told = {name for name in PUBLISHED if read_recipe(name).expected}
    assert told == {*RETRIEVAL, *CAPTIONING}
    assert all("2303.13009" in read_recipe(name).source for name in told)


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name.endswith("meltr")])
def test_settings_are_those_that_the_paper_states(name: str) -> None:
    recipe = read_recipe(name)
    training, melting = recipe.training, recipe.meltr
    assert (training.lr, training.schedule) == (3e-5, "linear")
    assert training.epochs == (20 if "caption" in name else 40)
    assert melting is not None
    assert (melting.scheme, melting.step.lr, melting.sizes) == ("aid-fp-lite", 1e-4, {})
    assert (melting.step.regularise, melting.step.direct_term) == ("lower", False)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_read_and_what_is_trained(name: str) -> None:
    recipe = read_recipe(name)
    config = recipe.model_config_of()
    reads = "transcript" if "speech" in name else "nothing" if "caption" in name else "caption"
    assert config.reads == reads
    assert len(config.losses) == (1 if name.endswith(("primary", "joint")) else 8)
    assert config.judged_by == ("joint" if name.endswith("joint") else "align")
    assert config.features == 1024
    assert recipe.dataset == "youcook2" or recipe.options["stored"]
    chosen = recipe.training.judged_by or chosen_by(config)
    assert chosen == ("CIDEr-D" if "caption" in name else "t2v SumR")


def test_released_weights_that_are_absent_are_named_with_the_command() -> None:
    changes = {"config.pretrained": "no-such-folder", "config.text_layers": 1}
    told = r"convert univl univl\.pretrained\.bin no-such-folder, or name another"
    with pytest.raises(ConfigError, match=rf"--set config\.pretrained=no-such-folder: .*{told}"):
        read_recipe("youcook2/univl-meltr", changes)
    packaged = read_recipe("youcook2/univl-meltr", {"config.text_layers": 1})
    with pytest.raises(ConfigError, match=r"--set config\.pretrained=univl-pretrained: .*convert"):
        require_there("recipe", packaged.sections())
    with pytest.raises(CheckpointError, match=r"bin no-such-folder, or name another"):
        Univl(pretrained="no-such-folder", vocabulary="small").start(Material(device="cpu"))  # type: ignore[arg-type]


def test_msrvtt_is_read_from_its_own_features_or_says_what_is_missing(tmp_path: Path) -> None:
    Config.tiny(tmp_path)
    making = Making(width=6, dtype="float32", sampling="fps 1")
    with FeatureWriter(tmp_path / "features", making) as writer:
        for n, video in enumerate(["video0", "video1", "video7010"]):
            writer.append(video, np.full((2, 6), n, np.float32), [0.0, 1.0, 2.0])
    recipe = read_recipe("msrvtt-9k/univl-meltr", {"options.hold_out": 1})
    options = recipe.dataset_config(folder=tmp_path)
    test = options.read("test")
    reader = source_of(recipe, options).open([test], lambda _: lambda done, total: None)
    np.testing.assert_array_equal(reader.read(test.pairs[0]), np.full((2, 6), 2))
    decoded = options.model_copy(update={"stored": False})
    with pytest.raises(ConfigError, match=r"names no encoder, and no folder.*; give --set conf"):
        source_of(recipe, decoded).open([decoded.read("test")], lambda _: lambda done, of: None)
