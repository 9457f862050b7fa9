"""VoP as its code for ModelScope computes it: names, shapes and vectors, from a description of it.

Weights have OpenAI's names. One text or one frame at a time, position by position; no torch module
is called. The text tower always runs over its whole context: prompts before the words, padding of
token 0 behind the end token, and more prompts before the last position. It is read as many places
behind the end token as there are prompts. A video is the mean of its frames' unit vectors.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from reeltune.models import clip

State = Mapping[str, Tensor]
SHARED = ("transformer.", "token_embedding.", "positional_embedding", "ln_final.")


def openai_state(base: clip.Clip) -> dict[str, Tensor]:
    """The towers under OpenAI's names."""
    own = {name: weight.detach().clone() for name, weight in base.towers.state_dict().items()}
    found = {
        "logit_scale": own["logit_scale"],
        "text_projection": own["text_projection.weight"].T,
        "visual.proj": own["visual_projection.weight"].T,
        "visual.class_embedding": own["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": own["vision_model.embeddings.patch_embedding.weight"],
        "token_embedding.weight": own["text_model.embeddings.token_embedding.weight"],
    }
    for kind in ("weight", "bias"):
        found[f"ln_final.{kind}"] = own[f"text_model.final_layer_norm.{kind}"]
        found[f"visual.ln_pre.{kind}"] = own[f"vision_model.pre_layrnorm.{kind}"]
        found[f"visual.ln_post.{kind}"] = own[f"vision_model.post_layernorm.{kind}"]
    for tower, ours in (("visual.", "vision_model"), ("", "text_model")):
        place = f"{ours}.embeddings.position_embedding.weight"
        found[f"{tower}positional_embedding"] = own[place]
        depth = getattr(base.towers, ours).config.num_hidden_layers
        for number in range(depth):
            layer, name = (
                f"{ours}.encoder.layers.{number}",
                f"{tower}transformer.resblocks.{number}",
            )
            for kind in ("weight", "bias"):
                three = [own[f"{layer}.self_attn.{way}_proj.{kind}"] for way in "qkv"]
                found[f"{name}.attn.in_proj_{kind}"] = torch.cat(three)
                found[f"{name}.attn.out_proj.{kind}"] = own[f"{layer}.self_attn.out_proj.{kind}"]
                found[f"{name}.ln_1.{kind}"] = own[f"{layer}.layer_norm1.{kind}"]
                found[f"{name}.ln_2.{kind}"] = own[f"{layer}.layer_norm2.{kind}"]
                found[f"{name}.mlp.c_fc.{kind}"] = own[f"{layer}.mlp.fc1.{kind}"]
                found[f"{name}.mlp.c_proj.{kind}"] = own[f"{layer}.mlp.fc2.{kind}"]
    return {name: weight.contiguous() for name, weight in found.items()}


def released_state(base: clip.Clip, text: Tensor, video: Tensor) -> dict[str, Tensor]:
    """As `VoP_*.pth`: the prompts, and the CLIP again inside each encoder."""
    state = {f"clip.{name}": weight for name, weight in openai_state(base).items()}
    for name, weight in openai_state(base).items():
        if name.startswith("visual."):
            state[f"image_encoder.{name.removeprefix('visual.')}"] = weight
        elif name.startswith(SHARED) or name == "text_projection":
            state[f"text_encoder.{name}"] = weight
    state["visual_prompt_learner.visual_prompts"] = video[:, None]
    state["text_prompt_learner.text_prompts"] = text
    return state


def save(path: Path, state: State) -> Path:
    """As a run on several GPUs leaves it."""
    torch.save({"epoch": 5, "state_dict": {f"module.{n}": t for n, t in state.items()}}, path)
    return path


def text_vector(state: State, ids: Sequence[int], prefix: int, heads: int) -> Tensor:
    """(D,) of the ids of one text, from its start to its end token."""
    prompts = state.get("text_prompt_learner.text_prompts")
    positions = state["clip.positional_embedding"]
    many, prefix = (0, 0) if prompts is None else (prompts.shape[1], prefix)
    padded = [*ids, *[0] * (len(positions) - many - len(ids))]
    words = [state["clip.token_embedding.weight"][i] for i in padded]
    for number in range(depth_of(state, "clip.transformer.")):
        given = [] if prompts is None else list(prompts[number])
        words = [words[0], *given[:prefix], *words[1:-1], *given[prefix:], words[-1]]
        if number == 0:
            words = [word + place for word, place in zip(words, positions, strict=True)]
        words = block(state, f"clip.transformer.resblocks.{number}.", words, heads, causal=True)
        if number + 1 < depth_of(state, "clip.transformer."):
            inner = words[1 + prefix : len(words) - 1 - (many - prefix)]
            words = [words[0], *inner, words[-1]]
    read = norm(state, "clip.ln_final.", words[len(ids) - 1 + many])
    return unit(read @ state["clip.text_projection"])


def video_vector(state: State, frames: Tensor, heads: int) -> Tensor:
    """(D,) of the normalised frames (T, 3, S, S) of one video."""
    return torch.stack([unit(frame_vector(state, frame, heads)) for frame in frames]).mean(0)


def frame_vector(state: State, frame: Tensor, heads: int) -> Tensor:
    prompts = state.get("visual_prompt_learner.visual_prompts")
    kernel = state["clip.visual.conv1.weight"]
    side = kernel.shape[-1]
    tokens = [state["clip.visual.class_embedding"]]
    for top in range(0, frame.shape[1], side):
        for left in range(0, frame.shape[2], side):
            patch = frame[:, top : top + side, left : left + side]
            tokens.append((kernel * patch).sum(dim=(1, 2, 3)))
    places = state["clip.visual.positional_embedding"]
    tokens = [token + place for token, place in zip(tokens, places, strict=True)]
    for number in range(depth_of(state, "clip.visual.transformer.")):
        given = [] if prompts is None else list(prompts[number, 0])
        tokens = [tokens[0], *given, *tokens[1:]]
        if number == 0:
            tokens = [norm(state, "clip.visual.ln_pre.", token) for token in tokens]
        name = f"clip.visual.transformer.resblocks.{number}."
        tokens = block(state, name, tokens, heads, causal=False)
        tokens = [tokens[0], *tokens[1 + len(given) :]]
    return norm(state, "clip.visual.ln_post.", tokens[0]) @ state["clip.visual.proj"]


def depth_of(state: State, tower: str) -> int:
    """Layers of a tower."""
    return sum(n.startswith(tower) and n.endswith("attn.in_proj_weight") for n in state)


def block(state: State, name: str, tokens: list[Tensor], heads: int, causal: bool) -> list[Tensor]:
    seen = [norm(state, f"{name}ln_1.", token) for token in tokens]
    three = state[f"{name}attn.in_proj_weight"], state[f"{name}attn.in_proj_bias"]
    made = [(three[0] @ token + three[1]).chunk(3) for token in seen]
    width = len(tokens[0]) // heads
    found = []
    for place, token in enumerate(tokens):
        heard = made[: place + 1] if causal else made
        parts = []
        for start in range(0, len(token), width):
            head = slice(start, start + width)
            query = made[place][0][head] / math.sqrt(width)
            logits = torch.stack([key[head] @ query for _, key, _ in heard])
            values = torch.stack([value[head] for _, _, value in heard])
            parts.append(torch.softmax(logits, dim=0) @ values)
        out = state[f"{name}attn.out_proj.weight"] @ torch.cat(parts)
        found.append(token + out + state[f"{name}attn.out_proj.bias"])
    return [token + mlp(state, name, norm(state, f"{name}ln_2.", token)) for token in found]


def mlp(state: State, name: str, token: Tensor) -> Tensor:
    hidden = state[f"{name}mlp.c_fc.weight"] @ token + state[f"{name}mlp.c_fc.bias"]
    hidden = hidden * torch.sigmoid(1.702 * hidden)  # quick GELU
    return state[f"{name}mlp.c_proj.weight"] @ hidden + state[f"{name}mlp.c_proj.bias"]


def norm(state: State, name: str, token: Tensor) -> Tensor:
    centred = token - token.mean()
    spread = (centred.square().mean() + 1e-5).sqrt()
    return state[f"{name}weight"] * centred / spread + state[f"{name}bias"]


def unit(vector: Tensor) -> Tensor:
    return vector / vector.square().sum().sqrt()
