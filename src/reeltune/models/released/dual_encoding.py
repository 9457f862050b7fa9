"""Checkpoints of the released code (hybrid_space, and dual_encoding of 2019) as ours."""

import re
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from reeltune.errors import CheckpointError, counted, first_fault
from reeltune.models._dual_encoding._vocabulary import SPECIALS, Vocabulary
from reeltune.models._released_keys import require_numbers
from reeltune.models.dual_encoding import Config, DualEncoding
from reeltune.models.opening.weights import require_all_keys
from reeltune.models.released._dual_encoding_options import check_options
from reeltune.models.released.dual_encoding_file import Released, State

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
    released: Released,
    words: Vocabulary,
    bag: Vocabulary | None = None,
    encoder: str | None = None,
) -> DualEncoding:
    """The model in a released file (`read_released`), with the released numerics.

    `words` and `bag` are the vocabularies of the GRU and of the bag of words that it was trained
    with (`read_official`); without `bag` both have the same order. Columns of the mappings stay in
    their released order: GRU, convolutions, global level.
    Errors: `CheckpointError` names the options, keys or sizes that do not fit.
    """
    config = config_of(released).model_copy(update={"encoder": encoder})
    if len(words) != config.words:
        raise CheckpointError(
            f"{released.path} knows {config.words} words, and the vocabulary has {len(words)}; "
            "give the vocabulary of the collection that it was trained on"
        )
    model = config.build(words)
    given, wanted = renamed(released), model.state_dict()
    given["divisors"] = wanted["divisors"]
    require_all_keys(
        released.path,
        missing=wanted.keys() - given.keys(),
        unexpected=given.keys() - wanted.keys(),
        misshapen=[k for k in given.keys() & wanted.keys() if given[k].shape != wanted[k].shape],
    )
    floats = {key for key, tensor in wanted.items() if tensor.is_floating_point()}
    require_numbers({key: given[key] for key in floats}, released.path)
    if bag is not None:
        _reorder_bag(given, words, bag)
    model.load_state_dict(given)
    return model


def config_of(released: Released) -> Config:
    """Sizes, told from the shapes; numerics as released, where the options say nothing else."""
    video, text, mapping, _ = released.parts
    try:
        filters, of_text = (len(state["convs1.0.weight"]) for state in (video, text))
        words, embedding = text["embed.weight"].shape
        hidden, of_video = (state["rnn.weight_hh_l0"].shape[1] for state in (text, video))
        config = Config(
            features=video["rnn.weight_ih_l0"].shape[1],
            words=words - SPECIALS,
            embedding=embedding,
            hidden=hidden,
            video_hidden=None if of_video == hidden else of_video,
            video_bidirectional="rnn.weight_ih_l0_reverse" in video,
            text_bidirectional="rnn.weight_ih_l0_reverse" in text,
            video_kernels=_kernels(video),
            text_kernels=_kernels(text),
            filters=filters,
            latent=mapping["mapping.fc1.weight"].shape[0],
            concepts=len(mapping.get("tag_fc.bias", ())),
            hs_compat=True,
            **_settings(released),
        )
    except ValidationError as error:
        place, fault = first_fault(error)
        raise CheckpointError(
            f"{released.path} was trained with {place}={released.options.get(place)!r} "
            f"({fault}); give the checkpoint as the released code wrote it"
        ) from error
    except KeyError as error:
        raise CheckpointError(
            f"{released.path} lacks {error.args[0]}, by which its sizes are told; "
            "give a checkpoint of hybrid_space or dual_encoding"
        ) from error
    if filters != of_text:
        raise CheckpointError(
            f"{released.path} has {filters} filters of videos and {of_text} of texts, and both "
            "have the same number here; measure it with the code that it came from"
        )
    check_options(released.options, config, released.path)
    return config


def _settings(released: Released) -> dict[str, Any]:
    """Settings from those options that are settings here too."""
    names = {"dropout": "dropout", "margin": "margin", "visual_feature": "feature"}
    options = released.options
    return {ours: options[name] for name, ours in names.items() if name in options}


def renamed(released: Released) -> dict[str, Tensor]:
    """All tensors under our names; a name that is not known keeps its own behind its part's."""
    found = {}
    for part, state in zip(PARTS, released.parts, strict=True):
        for key, tensor in state.items():
            ours = key
            for pattern, name in NAMES:
                ours = re.sub(pattern, name, ours)
            if tensor.dim() == 4:  # a convolution over (1, L, C) as one over (C, L)
                tensor = tensor.squeeze(1).transpose(1, 2)
            ours = ours.removeprefix("levels.") if part.endswith("levels.") else ours
            found[part + ours] = tensor
    return found


def _kernels(state: State) -> tuple[int, ...]:
    weights = [key for key in state if re.fullmatch(r"convs1\.\d+\.weight", key)]
    return tuple(state[f"convs1.{place}.weight"].shape[2] for place in range(len(weights)))


def _reorder_bag(given: dict[str, Tensor], words: Vocabulary, bag: Vocabulary) -> None:
    """Bring columns of the bag of words, which stand last, into the order of `words`."""
    if sorted(words.words) != sorted(bag.words):
        odd = sorted(set(words.words) ^ set(bag.words))
        raise CheckpointError(
            f"the two vocabularies differ in {counted(len(odd), 'word')}, such as {odd[0]!r}; "
            "give those of one collection"
        )
    place = {word: column for column, word in enumerate(bag.words)}
    order = torch.tensor([place[word] for word in words.words])
    for key in ("text.space.latent.weight", "text.space.concept.weight"):
        if key in given:
            levels, counts = given[key].tensor_split([-len(words)], dim=1)
            given[key] = torch.cat([levels, counts[:, order]], dim=1)
