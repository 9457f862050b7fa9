"""The weights of VoP that were released for ModelScope, as ours.

Two layouts, each under `state_dict`. `VoP_*.pth` has prompts for both towers, and three times the
CLIP that they stand in: `clip`, `image_encoder` and `text_encoder`. `VoPSE_*.pth` has a CLIP some
of whose weights were tuned: every bias, the two projections, or the last layers (Bias, Proj and
Partial of the paper's tables); which, is told by what differs from the CLIP that it began as.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, NonNegativeInt, PositiveInt, ValidationError
from torch import Tensor

from reeltune.errors import CheckpointError, ConfigError, counted, in_short
from reeltune.models import clip, tuned, vop
from reeltune.models._adapter import open_base
from reeltune.models._openai_clip import as_transformers
from reeltune.models._pickled import read_pickled
from reeltune.models._released_keys import require_numbers
from reeltune.storage.regular_file import read_bytes

TEXT, VIDEO = "text_prompt_learner.text_prompts", "visual_prompt_learner.visual_prompts"
COPIES = {"image_encoder.": "visual.", "text_encoder.": ""}  # of what stands under `clip.`
METHODS: tuple[tuned.Method, ...] = ("bias", "proj", "partial", "full")  # the first that fits
HALF = 2**-10  # of its value: what a weight is rounded by in half precision
TOWERS = "clip.towers."  # of the names of weights in a tuned model
NO_VECTOR = "logit_scale"  # the temperature of a loss
SETTINGS = "configuration.json"  # beside the weights, as ModelScope keeps them


class Hyperparameters(BaseModel):
    """The settings of a release that are read; the others belong to its training and its
    pipeline."""

    pooling_type: Literal["avg"] = "avg"
    input_res: PositiveInt | None = None  # pixels
    num_frames: PositiveInt = 12
    tp_prefix_token_num: NonNegativeInt | None = None


class Configuration(BaseModel):
    """`configuration.json` as ModelScope has it."""

    hyperparam: Hyperparameters


@dataclass(frozen=True)
class KeyReport:
    """What became of every key of the file."""

    loaded: tuple[str, ...]
    as_base: tuple[str, ...]  # of the CLIP, equal to the base's: not stored again
    copies: tuple[str, ...]  # second names of weights of the CLIP
    unlike: tuple[str, ...]  # of the CLIP, other than the base's; no vector depends on them
    missing: tuple[str, ...]  # of the base, by its own names; they stay as they are there
    unexpected: tuple[str, ...]  # they are left out


@dataclass(frozen=True)
class BroughtIn:
    """The model, and what became of the file."""

    model: vop.Vop | tuned.Tuned
    report: KeyReport

    def facts(self) -> dict[str, object]:
        """Facts about the model that the command tells."""
        if isinstance(self.model, tuned.Tuned):
            return {"method": self.model.config.method}
        text = self.model.text
        return {"method": "vop", "prefix": text.before, "suffix": text.behind}


def convert(path: Path, base: str, prefix: int | None = None) -> BroughtIn:
    """The model in a released file, on the CLIP that it was trained on.

    `prefix` text prompts stand before the words and the others behind; by default as in the
    `configuration.json` beside the file. No code in the file is run.
    Errors: `CheckpointError` names what does not fit; `ConfigError` asks for `prefix`.
    """
    state, opened = read_state(path), open_base(base, "cpu")
    if opened.family != "clip":
        raise ConfigError(
            f"--base {base} is a {opened.family}, and VoP was trained in a CLIP; give one such as "
            "openai/clip-vit-base-patch32"
        )
    found = _Compared.of(path, state, opened, base)
    if (TEXT in state) != (VIDEO in state):
        raise CheckpointError(
            f"{path} has {TEXT if TEXT in state else VIDEO} without the prompts of the other "
            "tower; give a whole VoP_*.pth"
        )
    if TEXT in state:
        model: vop.Vop | tuned.Tuned = _prompted(path, state, opened, base, prefix)
        found.require_base(path, base)
        loaded: tuple[str, ...] = (TEXT, VIDEO)
    else:
        model = _tuned(path, found, opened, base)
        loaded = found.fill(model)
    return BroughtIn(model.eval(), found.report(state, loaded))


def read_state(path: Path) -> dict[str, Tensor]:
    """Weights by their names, without the marks of several GPUs, in float32."""
    stored = read_pickled(path, "released weights of VoP", "download it again")
    state = stored.get("state_dict") if isinstance(stored, Mapping) else None
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(weight, Tensor) for name, weight in state.items()
    ):
        raise CheckpointError(
            f"{path} holds no weights under 'state_dict'; give VoP_msrvtt9k.pth or "
            "VoPSE_msrvtt9k.pth of ModelScope"
        )
    return {name.replace("module.", ""): tensor.float() for name, tensor in state.items()}


@dataclass
class _Compared:
    """The CLIP in a file beside the one that it is said to begin as."""

    weights: dict[str, Tensor]  # of the file, by names of the towers
    keys: dict[str, list[str]]  # of the file, with the names of the towers that each gives
    differing: set[str]  # names whose values are not the base's, but for rounding
    copies: list[str]
    missing: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, state: Mapping[str, Tensor], base: clip.Clip, name: str) -> "_Compared":
        own = base.towers.state_dict()
        weights: dict[str, Tensor] = {}
        keys: dict[str, list[str]] = {}
        for key in (key for key in state if key.startswith("clip.")):
            named = as_transformers(key.removeprefix("clip."), state[key])
            if named and named.keys() <= own.keys():
                _require_shapes(path, key, named, own, name)
                weights.update(named)
                keys[key] = list(named)
        prompts = {key: state[key] for key in (TEXT, VIDEO) if key in state}
        require_numbers({**weights, **prompts}, path)
        if not weights and TEXT not in state:
            raise CheckpointError(
                f"{path} has neither prompts nor weights of a CLIP (its first key is "
                f"{next(iter(state), 'none')!r}); give VoP_msrvtt9k.pth or VoPSE_msrvtt9k.pth"
            )
        return cls(
            weights,
            keys,
            {name for name, weight in weights.items() if _differs(weight, own[name])},
            _copies(path, state),
            tuple(name for name in own if name not in weights),
        )

    def require_base(self, path: Path, base: str) -> None:
        """Prompts mean nothing in another CLIP than the one that they were trained in."""
        wrong = sorted(self.differing - {NO_VECTOR})
        if wrong:
            raise CheckpointError(
                f"{path} was trained in another CLIP than --base {base}, which differs "
                f"in {counted(len(wrong), 'weight')}, such as {wrong[0]}; give the CLIP that it "
                "was trained in"
            )

    def fill(self, model: tuned.Tuned) -> tuple[str, ...]:
        """Put the tuned weights in place; the keys that had them."""
        own = {name.removeprefix(TOWERS): weight for name, weight in model.trained().items()}
        with torch.no_grad():
            for name, weight in own.items():
                if name in self.weights:
                    weight.copy_(self.weights[name])
        return tuple(key for key, names in self.keys.items() if own.keys() & set(names))

    def report(self, state: Mapping[str, Tensor], loaded: tuple[str, ...]) -> KeyReport:
        of_base = [key for key in self.keys if key not in loaded]
        unlike = [key for key in of_base if self.differing & set(self.keys[key])]
        known = {*loaded, *self.keys, *self.copies}
        return KeyReport(
            loaded=loaded,
            as_base=tuple(key for key in of_base if key not in unlike),
            copies=tuple(self.copies),
            unlike=tuple(unlike),
            missing=self.missing,
            unexpected=tuple(key for key in state if key not in known),
        )


def _require_shapes(
    path: Path, key: str, named: Mapping[str, Tensor], own: Mapping[str, Tensor], base: str
) -> None:
    for name, tensor in named.items():
        if tensor.shape != own[name].shape:
            raise CheckpointError(
                f"{path} has {key} for {name} {tuple(tensor.shape)}, and --base {base} has "
                f"{tuple(own[name].shape)}; give the CLIP that it was trained in"
            )


def _differs(weight: Tensor, other: Tensor) -> bool:
    """Whether two weights differ by more than rounding to half precision."""
    return not torch.allclose(weight, other.float(), rtol=HALF, atol=torch.finfo(torch.half).tiny)


def _copies(path: Path, state: Mapping[str, Tensor]) -> list[str]:
    """Keys of the two encoders; each must hold what stands under `clip.` too."""
    found = []
    for copy, place in COPIES.items():
        for key in (key for key in state if key.startswith(copy)):
            origin = f"clip.{place}{key.removeprefix(copy)}"
            if origin not in state:
                continue
            if not torch.equal(state[key], state[origin]):
                raise CheckpointError(
                    f"{path} has two values for one weight, in {origin} and in {key}; take the "
                    "file from where it was released"
                )
            found.append(key)
    return found


def _prompted(
    path: Path, state: Mapping[str, Tensor], base: clip.Clip, name: str, prefix: int | None
) -> vop.Vop:
    text, video = state[TEXT], state[VIDEO]
    given = _settings(path, base)
    before = given.tp_prefix_token_num if prefix is None else prefix
    if before is None:
        raise ConfigError(
            f"{path} has {counted(text.shape[1], 'text prompt')}, and how many of them stand "
            f"before the words is in the {SETTINGS} of its release, which is not beside it; give "
            "--prefix, 4 by what the released code says of its shapes"
        )
    if not 0 <= before <= text.shape[1]:
        raise ConfigError(
            f"--prefix is {before}, and {path} has {counted(text.shape[1], 'text prompt')}"
        )
    config = vop.Config(
        base=name,
        prompts=(vop.Text(length=text.shape[1]), vop.Generic(length=video.shape[2])),
        frames=given.num_frames,
        compat="modelscope",
        suffix=text.shape[1] - before,
    )
    model = vop.Vop(config, base)
    trained = model.trained()
    for ours, tensor in zip(trained, (text, video[:, 0]), strict=True):
        if trained[ours].shape != tensor.shape:
            raise CheckpointError(
                f"{path} has prompts {tuple(tensor.shape)}, and --base {name} takes "
                f"{tuple(trained[ours].shape)}; give the CLIP that it was trained in"
            )
        with torch.no_grad():
            trained[ours].copy_(tensor)
    return model


def _settings(path: Path, base: clip.Clip) -> Hyperparameters:
    """The settings beside the file, if there are any."""
    file = path.with_name(SETTINGS)
    if not file.is_file():
        return Hyperparameters()
    try:
        given = Configuration.model_validate_json(read_bytes(file)).hyperparam
    except ValidationError as error:
        raise CheckpointError(
            f"{file} has settings that are not computed here ({in_short(error)}); take it from the "
            "release of these weights, or take it away"
        ) from error
    if given.input_res not in (None, base.pixels.size):
        raise CheckpointError(
            f"{file} has input_res {given.input_res}, and the CLIP of --base reads pictures of "
            f"{base.pixels.size} pixels; give the CLIP that it was trained in"
        )
    return given


def _tuned(path: Path, found: _Compared, base: clip.Clip, name: str) -> tuned.Tuned:
    changed = found.differing - {NO_VECTOR}
    if not changed:
        raise CheckpointError(
            f"{path} has the weights of --base {name} and no others, so nothing was tuned; give "
            "the CLIP that it was tuned from"
        )
    for method in METHODS:
        model = tuned.Tuned(tuned.Config(base=name, method=method, compat="modelscope"), base)
        if changed <= {own.removeprefix(TOWERS) for own in model.trained()}:
            return model
    raise CheckpointError(
        f"{path} differs from --base {name} in {sorted(changed)[0]}, which no method tunes"
    )
