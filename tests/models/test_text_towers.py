"""Text towers in numpy against the models themselves, and what is remembered of a model."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reeltune.models._lite.sentence_encoder import SentenceEncoder
from reeltune.models.clip import Config, Tower
from reeltune.models.opening.open import open_encoder
from reeltune.models.text_towers import known, layers
from reeltune.models.text_towers.minilm import minilm
from reeltune.models.text_towers.remember import TRIED, HasTextTower, remember
from reeltune.types import DualEncoder

TEXTS = ["a", "a dog", "Ein Hund – naïve 東京 &amp; 1,000!", "no one " * 90, " spaces  and\ttabs "]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def folder_of(config: Config, folder: Path) -> str:
    config.build().save_pretrained(folder)
    return str(folder)


def small(family: str, activation: str | None = None) -> Config:
    tower = Tower(width=16, layers=2, heads=2)
    sizes = {"image": 32, "patch": 8, "context": 32, "vocabulary": 600, "activation": activation}
    dim = 16 if family.startswith("siglip") else 24
    return Config(family=family, vision=tower, text=tower, dim=dim, **sizes)


def by_torch(model: DualEncoder, texts: list[str]) -> np.ndarray:
    with torch.inference_mode():
        return model.encode_text(model.tokenize(texts)).float().numpy()


def require_same(name: str, model: DualEncoder) -> None:
    """The tower that is remembered has the model's vectors, and so its order of any moments."""
    remember(name, model)
    found = known.stored(name, model.fingerprint)
    assert found is not None
    assert found.is_current()
    tower, wanted = found.opened(), by_torch(model, TEXTS)
    made = tower.read(TEXTS)
    assert ((made * wanted).sum(axis=1) > 1 - 1e-5).all()
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    alone = np.concatenate([tower.read([text]) for text in TEXTS])
    np.testing.assert_allclose(made, alone, atol=1e-6)
    moments = np.random.default_rng(0).standard_normal((500, model.dim), np.float32)
    moments /= np.linalg.norm(moments, axis=1, keepdims=True)
    scores, near = wanted @ moments.T, made @ moments.T
    for one, other in zip(scores, near, strict=True):
        # Two moments change places only where their scores are as good as tied.
        assert np.abs(np.sort(one) - one[np.argsort(other)]).max() < 1e-5


@pytest.mark.parametrize("name", ["lite", "lite-zero", "tiny-clip"])
def test_packaged_models_read_texts_alike_without_torch(name: str) -> None:
    require_same(name, open_encoder(name))


@pytest.mark.parametrize(
    ("family", "activation"),
    [("clip", "gelu"), ("metaclip_2", None), ("siglip", None), ("siglip2", "gelu_pytorch_tanh")],
)
def test_families_of_two_towers_read_texts_alike_without_torch(
    family: str, activation: str | None, tmp_path: Path
) -> None:
    name = folder_of(small(family, activation), tmp_path / "model")
    require_same(name, open_encoder(name))


def test_sentences_are_those_of_the_network_in_torch() -> None:
    net = SentenceEncoder()
    tokens = net.tokenize(TEXTS)
    wanted = net(tokens.ids, tokens.mask).numpy()
    made = minilm().read(TEXTS)
    assert ((made * wanted).sum(axis=1) > 1 - 1e-5).all()


@pytest.mark.parametrize(
    ("ours", "torchs"),
    [
        (layers.gelu, torch.nn.functional.gelu),
        (layers.gelu_tanh, lambda x: torch.nn.functional.gelu(x, approximate="tanh")),
        (layers.quick_gelu, lambda x: x * torch.sigmoid(1.702 * x)),
    ],
)
def test_activations_are_those_of_torch(ours: layers.Activation, torchs: object) -> None:
    x = np.linspace(-60, 60, 4001, dtype=np.float32)[None]
    np.testing.assert_allclose(ours(x), torchs(torch.from_numpy(x)).numpy(), atol=2e-6)  # type: ignore[operator]


def test_a_model_is_known_until_one_of_its_files_changes(tmp_path: Path) -> None:
    name = folder_of(small("clip"), tmp_path / "model")
    model = open_encoder(name)
    remember(name, model)
    found = known.stored(name, model.fingerprint)
    assert found is not None
    assert found.is_current()
    assert known.stored(name, "0" * 32) is None
    assert known.stored("another", model.fingerprint) is None
    settings = tmp_path / "model" / "config.json"
    settings.touch()
    assert found.is_current()  # it was read again, and is what it was
    content = settings.read_bytes()
    settings.write_bytes(content + b" ")
    assert not found.is_current()
    settings.write_bytes(content)
    assert found.is_current()
    (tmp_path / "model" / "added_tokens.json").write_text("{}")
    assert not found.is_current()


def test_a_tower_that_reads_otherwise_is_not_kept(tmp_path: Path) -> None:
    name = folder_of(small("clip"), tmp_path / "model")
    model = open_encoder(name)
    assert isinstance(model, HasTextTower)
    with torch.no_grad():
        model.towers.text_projection.weight[0, 0] += 5  # as nothing in the folder says
    remember(name, model)
    assert known.stored(name, model.fingerprint) is None


def test_a_changed_tokenizer_of_the_cache_is_not_read(tmp_path: Path) -> None:
    name = folder_of(small("clip"), tmp_path / "model")
    model = open_encoder(name)
    remember(name, model)
    found = known.stored(name, model.fingerprint)
    assert found is not None
    (known.place_of(name, model.fingerprint) / known.WORDS).write_text("{}")
    with pytest.raises(ValueError, match=r"the tokenizer of .* in the cache was changed"):
        found.opened()
    known.forget(found)
    assert known.stored(name, model.fingerprint) is None


def test_what_is_tried_is_longer_than_any_model_reads() -> None:
    assert max(len(text.split()) for text in TRIED) > 128
