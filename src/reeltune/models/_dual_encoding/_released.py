"""Checkpoints of the released code (hybrid_space, and the latent model alone) as ours.

Each is a list of four state dicts: video levels, text levels, video mapping, text mapping.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from reeltune.errors import CheckpointError
from reeltune.models._dual_encoding._vocabulary import SPECIALS, Vocabulary
from reeltune.models._weights import require_all_keys
from reeltune.models.dual_encoding import Config, DualEncoding

States = Sequence[Mapping[str, Tensor]]
PARTS = ("video.levels.", "text.", "video.space.", "text.space.")
NAMES = [  # pattern of a released name, and ours; in the text part, levels stand beside `embed`
    (r"^embed\.", "embedding."),
    (r"^rnn\.", "levels.gru."),
    (r"^convs1\.", "levels.convs."),
    (r"^mapping\.fc1\.", "latent."),
    (r"^mapping\.bn_1\.", "latent_norm."),
    (r"^tag_fc\.", "concept."),
    (r"^tag_fc_batch_norm\.", "concept_norm."),
]


def convert(
    path: Path, words: Vocabulary, bag: Vocabulary | None = None, encoder: str | None = None
) -> DualEncoding:
    """The model in a released file such as model_best.pth.tar, with the released numerics.

    `words` and `bag` are the vocabularies of the GRU and of the bag of words that it was trained
    with (`read_official`); without `bag` both have the same order. Columns of the mappings stay in
    their released order: GRU, convolutions, global level. Opened as weights alone, no code is run.
    Errors: `CheckpointError` names the keys or sizes that do not fit.
    """
    states = read_states(path)
    config = config_of(states, path).model_copy(update={"encoder": encoder})
    if len(words) != config.words:
        raise CheckpointError(
            f"{path} knows {config.words} words, and the vocabulary has {len(words)}; "
            "give the vocabulary of the collection that it was trained on"
        )
    model = config.build(words)
    given, wanted = renamed(states), model.state_dict()
    given["divisors"] = wanted["divisors"]
    require_all_keys(
        path,
        missing=wanted.keys() - given.keys(),
        unexpected=given.keys() - wanted.keys(),
        misshapen=[k for k in given.keys() & wanted.keys() if given[k].shape != wanted[k].shape],
    )
    if bag is not None:
        _reorder_bag(given, words, bag)
    model.load_state_dict(given)
    return model


def read_states(path: Path) -> States:
    """The four state dicts of a file; beside weights only the options it was made with open."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            stored = torch.load(path, map_location="cpu", weights_only=True)
        states = stored["model"]
    except Exception as error:  # a pickle can fail in any way at all
        first = str(error).splitlines()[0] if str(error) else repr(error)
        raise CheckpointError(
            f"{path} cannot be read as a released Dual Encoding ({first}); "
            "give its model_best.pth.tar"
        ) from error
    if not isinstance(states, list) or len(states) != len(PARTS):
        raise CheckpointError(
            f"{path} holds no list of {len(PARTS)} state dicts under 'model'; "
            "give a checkpoint of hybrid_space"
        )
    return states


def config_of(states: States, path: Path) -> Config:
    """Sizes, told from the shapes; numerics as released."""
    video, text, mapping, _ = states
    try:
        filters, _, _, _ = video["convs1.0.weight"].shape
        words, embedding = text["embed.weight"].shape
        hidden = video["rnn.weight_hh_l0"].shape[1]
        return Config(
            features=video["rnn.weight_ih_l0"].shape[1],
            words=words - SPECIALS,
            embedding=embedding,
            hidden=hidden,
            video_bidirectional="rnn.weight_ih_l0_reverse" in video,
            text_bidirectional="rnn.weight_ih_l0_reverse" in text,
            video_kernels=_kernels(video),
            text_kernels=_kernels(text),
            filters=filters,
            latent=mapping["mapping.fc1.weight"].shape[0],
            concepts=len(mapping.get("tag_fc.bias", ())),
            hs_compat=True,
        )
    except KeyError as error:
        raise CheckpointError(
            f"{path} lacks {error.args[0]}, by which its sizes are told; "
            "give a checkpoint of hybrid_space"
        ) from error


def renamed(states: States) -> dict[str, Tensor]:
    """All tensors under our names; a name that is not known keeps its own behind its part's."""
    found = {}
    for part, state in zip(PARTS, states, strict=True):
        for key, tensor in state.items():
            ours = key
            for pattern, name in NAMES:
                ours = re.sub(pattern, name, ours)
            if tensor.dim() == 4:  # a convolution over (1, L, C) as one over (C, L)
                tensor = tensor.squeeze(1).transpose(1, 2)
            found[part + (ours.removeprefix("levels.") if part.endswith("levels.") else ours)] = (
                tensor
            )
    return found


def _kernels(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    weights = [key for key in state if re.fullmatch(r"convs1\.\d+\.weight", key)]
    return tuple(state[f"convs1.{place}.weight"].shape[2] for place in range(len(weights)))


def _reorder_bag(given: dict[str, Tensor], words: Vocabulary, bag: Vocabulary) -> None:
    """Bring columns of the bag of words, which stand last, into the order of `words`."""
    if sorted(words.words) != sorted(bag.words):
        odd = sorted(set(words.words) ^ set(bag.words))
        raise CheckpointError(
            f"the two vocabularies differ in {len(odd)} words, such as {odd[0]!r}; "
            "give those of one collection"
        )
    place = {word: column for column, word in enumerate(bag.words)}
    order = torch.tensor([place[word] for word in words.words])
    for key in ("text.space.latent.weight", "text.space.concept.weight"):
        if key in given:
            levels, counts = given[key].tensor_split([-len(words)], dim=1)
            given[key] = torch.cat([levels, counts[:, order]], dim=1)
