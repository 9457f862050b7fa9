"""The CLIP that comes with Reeltune: it opens in transformers, and knows stills of Toybox."""

import numpy as np
import torch
from PIL import Image
from transformers import CLIPModel

from reeltune.data._toybox.render import Look, frame
from reeltune.data._toybox.world import SHOWN, Event, Script
from reeltune.media.squares import fitted
from reeltune.models.opening.open import open_model
from reeltune.models.tiny_clip import FOLDER
from reeltune.types import Pixels


def test_transformers_opens_it_and_reads_the_same() -> None:
    model = open_model("tiny-clip")
    theirs = CLIPModel.from_pretrained(FOLDER).eval()
    tokens = model.tokenize(["a red square", "a blue circle on the left"])
    with torch.inference_mode():
        read = theirs.get_text_features(tokens.ids, tokens.mask.long()).pooler_output
        own = model.encode_text(tokens)
    torch.testing.assert_close(own, torch.nn.functional.normalize(read, dim=-1))


def test_it_is_small() -> None:
    assert (FOLDER / "model.safetensors").stat().st_size < 5_000_000


def test_it_names_the_colour_of_what_stands_still() -> None:
    model = open_model("tiny-clip")
    pictures, texts = [], []
    for number, (colour, shape) in enumerate(SHOWN):
        script = Script((Event(colour, shape, "spin"),))
        seen = frame(script, Look.draw(np.random.default_rng(number)), 0.01)
        pictures.append(torch.from_numpy(fitted(Image.fromarray(seen), Pixels(size=48))))
        texts.append(f"a {colour} {shape}")
    with torch.inference_mode():
        video = model.encode_video(torch.stack(pictures)[:, None], torch.ones(6, 1).bool())
        found = model.similarity(model.encode_text(model.tokenize(texts)), video).argmax(1)
    assert [SHOWN[i][0] for i in found] == [colour for colour, _ in SHOWN]
