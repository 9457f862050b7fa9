"""Pre-train the CLIP that Reeltune ships for Toybox, on still pictures of it.

    python scripts/train_tiny_clip.py OUT [--steps 1600]

Pictures are single frames of random scripts of the train share (no val or test script), of twice
as many things as clips show, 96 pixels brought to 48. A text is what the picture alone shows ("a
big red square on the left"), but for 15 in 100, which are captions of the clip it is from: the
text tower has heard the verbs, and knows of them what a still can tell. Idle words stand before
most texts, so that, as in a CLIP of the web, meaning does not hang on the position. Two cores
need about 10 minutes.
"""

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTokenizer

from reeltune.data._toybox.language import caption, noun
from reeltune.data._toybox.render import Look, Pose, frame, pose, stage
from reeltune.data._toybox.world import THINGS, Script, draw_script
from reeltune.media.squares import fitted
from reeltune.models._preprocessor import usual_preprocessor
from reeltune.models._tokenizer import END, START, byte_tokenizer
from reeltune.models.clip import Clip, Config, Tower
from reeltune.objectives.info_nce import info_nce
from reeltune.types import Pixels

STILLS, BATCH, RATE, DECAY = 25_000, 256, 1.5e-3, 0.05
SHOWN, TOLD = 3, 0.15  # texts per still of the picture alone; share of texts of its clip
GROUND = (45, 250)  # shades behind the things; of clips they are from 15 to 60
OPENINGS = ("well,", "look here:", "this is what one sees:", "a fine day,", "as so often,", "now")
TOWER = Tower(width=96, layers=4, heads=4)
SIZE, PATCH, CONTEXT, VOCABULARY = 48, 12, 48, 640


@dataclass(frozen=True)
class Still:
    """A picture and texts that fit it."""

    pixels: np.ndarray  # (3, S, S)
    texts: list[str]


def still(seed: int) -> Still:
    source = np.random.default_rng([7, seed])
    script = draw_script(source, THINGS)
    while script.subset() != "train":
        script = draw_script(source, THINGS)
    moment = float(source.uniform(0, 1))
    picture = Image.fromarray(frame(script, paper(source), moment))
    pixels = fitted(picture, Pixels(size=SIZE))
    texts = [look_of(script, moment, source) for _ in range(SHOWN)] + [caption(script, source)]
    return Still(pixels, [opening(source) + text for text in texts])


def paper(source: np.random.Generator) -> Look:
    """A ground as no clip has it, from dim to white: what a picture shows must be found again."""
    shade, look = source.integers(*GROUND, 3), Look.draw(source)
    return replace(look, background=(int(shade[0]), int(shade[1]), int(shade[2])))


def opening(source: np.random.Generator) -> str:
    """Words that say nothing, so that a text is read wherever in it the words stand."""
    return "".join(str(source.choice(OPENINGS)) + " " for _ in range(source.integers(4)))


def look_of(script: Script, moment: float, source: np.random.Generator) -> str:
    """What this picture alone shows."""
    seen = [(e, pose(e, done)) for e, _, done in stage(script, moment) if pose(e, done).seen]
    if not seen:
        return "an empty scene"
    phrases = [phrase(noun(event, source), at) for event, at in seen]
    source.shuffle(phrases)
    return str(source.choice(("{}", "a picture of {}", "{} on a plain ground"))).format(
        " and ".join(phrases)
    )


def phrase(thing: str, at: Pose) -> str:
    size = "big " if at.size > 1.2 else "small " if at.size < 0.75 else ""
    tilt = "tilted " if 0.06 < at.angle % 0.25 < 0.19 else ""
    side = "on the left" if at.x < -0.08 else "on the right" if at.x > 0.08 else ""
    height = "up high" if at.y < -0.08 else "down low" if at.y > 0.08 else ""
    return " ".join(part for part in (f"a {size}{tilt}{thing[2:]}", side, height) if part)


def tokenizer_of(texts: list[str]) -> CLIPTokenizer:
    """Byte-pair merges learned from the texts, with CLIP's two marks at the end."""
    learned = byte_tokenizer(514).train_new_from_iterator(texts, vocab_size=VOCABULARY)
    model = json.loads(learned.backend_tokenizer.to_str())["model"]
    words = [w for w, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]
    words = [word for word in words if word not in (START, END)]
    table = {word: i for i, word in enumerate(words)}
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split()) for m in model["merges"]]
    return CLIPTokenizer(vocab={**table, START: len(table), END: len(table) + 1}, merges=merges)


def train(model: Clip, stills: list[Still], steps: int) -> None:
    pixels = torch.from_numpy(np.stack([s.pixels for s in stills]))  # (N, 3, S, S)
    source = np.random.default_rng(0)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1)
    start = time.monotonic()
    for step in range(steps):
        chosen = source.choice(len(stills), BATCH, replace=False)
        told = source.random(BATCH) < TOLD
        which = np.where(told, SHOWN, source.integers(SHOWN, size=BATCH))
        texts = [stills[i].texts[j] for i, j in zip(chosen, which, strict=True)]
        _, same = np.unique(texts, return_inverse=True)
        video = model.encode_frames(pixels[chosen])
        text = model.encode_text(model.tokenize(texts))
        scale = model.towers.logit_scale.exp().clamp(max=100)
        loss = info_nce(scale * text @ video.T, torch.from_numpy(same))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps - 1:
            print(
                step,
                f"loss {loss:.3f} scale {scale:.1f} {time.monotonic() - start:.0f} s",
                flush=True,
            )


@torch.inference_mode()
def accuracy(model: Clip, stills: list[Still]) -> float:
    """R@1 of one text among as many pictures, of the last stills."""
    pixels = torch.from_numpy(np.stack([s.pixels for s in stills]))
    text: Tensor = model.encode_text(model.tokenize([s.texts[0] for s in stills]))
    scores = text @ F.normalize(model.encode_frames(pixels), dim=1).T
    return float((scores.argmax(1) == torch.arange(len(stills))).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1600)
    given = parser.parse_args()
    with ThreadPoolExecutor() as pool:
        stills = list(pool.map(still, range(STILLS)))
    print(f"{len(stills)} stills", flush=True)
    tokenizer = tokenizer_of([text for s in stills for text in s.texts])
    config = Config(
        vision=TOWER,
        text=TOWER,
        dim=96,
        image=SIZE,
        patch=PATCH,
        context=CONTEXT,
        vocabulary=len(tokenizer.get_vocab()),
    )
    torch.manual_seed(0)
    model = Clip(config.towers(), tokenizer, usual_preprocessor("clip", SIZE))
    train(model, stills[:-500], given.steps)
    print("held-out stills, R@1 of 500:", accuracy(model.eval(), stills[-500:]))
    model.save_pretrained(given.out)


if __name__ == "__main__":
    main()
