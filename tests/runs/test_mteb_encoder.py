"""A small task of mteb, of its own classes, is run with a model of Reeltune from end to end."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from datasets import Image as Shown
from PIL import Image

from reeltune.errors import ConfigError
from reeltune.runs.mteb_encoder import MtebEncoder

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 50, 220)}


def task() -> Any:
    """Retrieval of three pictures by the names of their colours."""
    from mteb import TaskMetadata
    from mteb.abstasks import AbsTaskRetrieval

    class Colours(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="Colours",
            description="Pictures of one colour, found by its name.",
            reference=None,
            dataset={"path": "none/none", "revision": "1"},
            type="Any2AnyRetrieval",
            category="t2i",
            modalities=["text", "image"],
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="ndcg_at_10",
            date=None,
            domains=None,
            task_subtypes=None,
            license=None,
            annotations_creators=None,
            dialect=None,
            sample_creation=None,
            bibtex_citation=None,
        )

        def load_data(self, *_: Any, **__: Any) -> None:
            names = list(COLOURS)
            shown = [Image.new("RGB", (48, 40), COLOURS[name]) for name in names]
            self.dataset = {
                "default": {
                    "test": {
                        "queries": Dataset.from_dict({"id": names, "text": names}),
                        "corpus": Dataset.from_dict({"id": names, "image": shown}).cast_column(
                            "image", Shown()
                        ),
                        "relevant_docs": {name: {name: 1} for name in names},
                        "top_ranked": None,
                    }
                }
            }
            self.data_loaded = True

    return Colours()


def test_a_task_runs_from_end_to_end_and_has_the_figures_of_our_own_cosines(model: str) -> None:
    import mteb

    encoder = MtebEncoder(model)
    assert isinstance(encoder, mteb.EncoderProtocol)
    found = mteb.evaluate(encoder, task(), cache=None, show_progress_bar=False)
    (scores,) = found.task_results[0].scores["test"]
    ours = encoder.model
    with torch.inference_mode():
        text = ours.encode_text(ours.tokenize(list(COLOURS)))
        side = ours.pixels.size
        shown = np.array(
            [np.full((side, side, 3), c, np.uint8).transpose(2, 0, 1) for c in COLOURS.values()]
        )
        video = ours.encode_video(torch.from_numpy(shown)[:, None], torch.ones(3, 1).bool())
        first = ours.similarity(text, video).argmax(dim=1)
    wanted = (first == torch.arange(3)).float().mean().item()
    assert scores["recall_at_1"] == pytest.approx(wanted, abs=1e-4)
    assert scores["recall_at_3"] == 1


def test_items_of_texts_and_pictures_and_of_neither(model: str) -> None:
    encoder = MtebEncoder(str(Path(model)))
    picture = Image.new("RGB", (40, 50), (9, 9, 9))
    text, image, both = (
        encoder.encode([batch])
        for batch in ({"text": ["a"]}, {"image": [picture]}, {"text": ["a"], "image": [picture]})
    )
    np.testing.assert_allclose(both, text + image, atol=1e-6)
    assert encoder.similarity(both, both).item() == pytest.approx(1)
    cosine = encoder.similarity_pairwise(text, image)
    assert cosine.tolist() == pytest.approx((text * image).sum(axis=1).tolist(), abs=1e-6)
    with pytest.raises(ConfigError, match=r"gave items of audio, and .* reads text and image"):
        encoder.encode([{"audio": [0]}])
