"""All-in-one from its definition: one frame, one place, one state at a time.

A clip is given without hidden frames, a text without padding.
"""

import torch
from torch import Tensor

from oracles.slow_timesformer import attend, normed, widened
from reeltune.models._all_in_one.network import Network
from reeltune.models._vit.layers import Block

Frame = list[Tensor]  # states (D) of the summary token and of the patches


def slow_roll(frames: list[Frame]) -> list[Frame]:
    """An eighth of the places, from the first patch on, comes from the frame before, and the last
    eighth from the frame behind; time is a ring, and the summary token stays."""
    count, places = len(frames), len(frames[0])
    eighth = places // 8
    rolled = []
    for time in range(count):
        new = []
        for place in range(places):
            source = time
            if 1 <= place <= eighth:
                source = time - 1 if time > 0 else count - 1
            elif place >= places - eighth:
                source = time + 1 if time < count - 1 else 0
            new.append(frames[source][place])
        rolled.append(new)
    return rolled


def slow_block(block: Block, states: Frame) -> Frame:
    """Each state after the block, in which all of them see all of them."""
    found = attend(block.attn, [normed(block.norm1, state) for state in states])
    return [widened(block, old + new) for old, new in zip(states, found, strict=True)]


def slow_words(model: Network, ids: Tensor) -> Frame:
    """The embeddings of a text (L,)."""
    tables = model.text_embeddings
    states = []
    for place, word in enumerate(ids.tolist()):
        whole = tables.word_embeddings.weight[word] + tables.position_embeddings.weight[place]
        whole = whole + tables.token_type_embeddings.weight[0]
        states.append(normed(tables.LayerNorm, whole) + model.token_type_embeddings.weight[0])
    return states


def slow_frames(model: Network, frames: Tensor) -> list[Frame]:
    """The embeddings of the places of each frame of a clip (T, 3, S, S) of bytes."""
    vit = model.transformer
    weight, bias = vit.patch_embed.proj.weight, vit.patch_embed.proj.bias
    side = weight.shape[-1]
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64)[:, None, None]
    spread = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)[:, None, None]
    found = []
    for time, frame in enumerate(frames):
        coloured = (frame.double() / 255 - mean) / spread
        states = [vit.cls_token[0, 0] + vit.pos_embed[0, 0]]
        for top in range(0, frame.shape[1], side):
            for left in range(0, frame.shape[2], side):
                part = coloured[:, top : top + side, left : left + side]
                value = torch.stack([(kernel * part).sum() for kernel in weight]) + bias
                place = vit.pos_embed[0, len(states)]
                states.append(value + place + vit.temporal_embed[0, time])
        found.append([state + model.token_type_embeddings.weight[1] for state in states])
    return found


def slow_fused(model: Network, ids: Tensor, frames: Tensor) -> Tensor:
    """States of the words (L, D) of a text that stands beside every frame of a clip."""
    clip = slow_frames(model, frames)
    texts = [slow_words(model, ids) for _ in clip]
    for block in model.transformer.blocks:
        assert isinstance(block, Block)
        clip = slow_roll(clip)
        for time, (text, frame) in enumerate(zip(texts, clip, strict=True)):
            both = slow_block(block, [*text, *frame])
            texts[time], clip[time] = both[: len(text)], both[len(text) :]
    return _mean([[normed(model.transformer.norm, state) for state in text] for text in texts])


def slow_text(model: Network, ids: Tensor) -> Tensor:
    """The unit vector (E,) of a text that stands alone."""
    states = slow_words(model, ids)
    for block in model.transformer.blocks:
        assert isinstance(block, Block)
        states = slow_block(block, states)
    first = normed(model.transformer.norm, states[0])
    vector = model.txt_proj.weight @ first + model.txt_proj.bias
    return vector / vector.norm()


def slow_video(model: Network, frames: Tensor) -> Tensor:
    """The unit vector (E,) of a clip that stands alone, whose frames do not see each other."""
    firsts = []
    for states in slow_frames(model, frames):
        for block in model.transformer.blocks:
            assert isinstance(block, Block)
            states = slow_block(block, states)
        firsts.append([normed(model.transformer.norm, states[0])])
    vector = model.vid_proj.weight @ _mean(firsts)[0] + model.vid_proj.bias
    return vector / vector.norm()


def _mean(of_frames: list[Frame]) -> Tensor:
    return torch.stack([torch.stack(frame) for frame in of_frames]).mean(dim=0)
