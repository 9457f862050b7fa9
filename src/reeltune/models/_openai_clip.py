"""Renames CLIP's weights from the names in OpenAI's code to those of transformers."""

import re

from torch import Tensor

PLAIN = {  # OpenAI's name, and that of transformers
    "logit_scale": "logit_scale",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
}
TURNED = {  # matrices that OpenAI multiplies from the other side
    "text_projection": "text_projection.weight",
    "visual.proj": "visual_projection.weight",
}
NORMS = {
    "ln_final": "text_model.final_layer_norm",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
}
LAYERS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
LAYER = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)[._](weight|bias)")


def as_transformers(key: str, tensor: Tensor) -> dict[str, Tensor]:
    """One weight under the names of transformers; three of a matrix that makes queries, keys and
    values at once, and none for a key that is not OpenAI's."""
    if key in PLAIN:
        return {PLAIN[key]: tensor}
    if key in TURNED:
        return {TURNED[key]: tensor.T}
    name, _, kind = key.rpartition(".")
    if name in NORMS:
        return {f"{NORMS[name]}.{kind}": tensor}
    found = LAYER.fullmatch(key)
    if found is None:
        return {}
    visual, number, part, kind = found.groups()
    layer = f"{'vision' if visual else 'text'}_model.encoder.layers.{number}"
    if part == "attn.in_proj":
        thirds = zip("qkv", tensor.chunk(3), strict=True)
        return {f"{layer}.self_attn.{way}_proj.{kind}": third for way, third in thirds}
    return {f"{layer}.{LAYERS[part]}.{kind}": tensor} if part in LAYERS else {}
