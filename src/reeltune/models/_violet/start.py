"""Violet as training begins: weights of a release, and a codebook of the training clips."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from reeltune.batches.loader import FrameReader
from reeltune.errors import CheckpointError, MediaError, counted
from reeltune.models._violet.codes import Codebook, patches_of
from reeltune.models._violet.network import Network
from reeltune.models._violet.released import HEADS, fill
from reeltune.models._violet.settings import RELEASE, Settings
from reeltune.models.opening.material import Material
from reeltune.models.opening.weights import WEIGHTS, read_tensors, require_all_keys
from reeltune.types import Pair, Pixels

CLIPS, FRAMES = 256, 4  # that a codebook is fitted on, at most
PATCHES = 1 << 16
OF_TOKENS = ("codebook.centres", "fc_mvm.3.weight", "fc_mvm.3.bias")  # that mean a codebook's own


def take_pretrained(network: Network, config: Settings) -> list[str]:
    """Fill the network with the weights of `config.pretrained`, and say what begins anew.

    Errors: `CheckpointError` for a folder without weights, or with those of another model.
    """
    if config.pretrained is None:
        return []
    if fault := RELEASE.without_weights(config.pretrained):
        raise CheckpointError(fault)
    path = config.pretrained / WEIGHTS
    given = {n: w for n, w in read_tensors(path).items() if _is_meant(n, network, config)}
    report = fill(network, given, path)
    anew = {n for n in report.missing if n in OF_TOKENS or n.partition(".")[0] in HEADS}
    require_all_keys(path, missing={*report.missing} - anew, unexpected=report.unexpected)
    said = [f"training starts from {config.pretrained}: {len(report.loaded)} weights are its"]
    if report.renamed:
        said.append(f"begun with weights of other heads: {', '.join(report.renamed)}")
    return [*said, *([f"not in it, and start anew: {', '.join(sorted(anew))}"] if anew else [])]


def _is_meant(name: str, network: Network, config: Settings) -> bool:
    """Whether a weight of the folder means here what it means there.

    A codebook is fitted anew, so guesses of tokens are of use where these are the dVAE's alone; a
    head for questions only where the answers are the same, which nobody knows.
    """
    if name in OF_TOKENS:
        return config.dvae is not None and name != "codebook.centres"
    return name.partition(".")[0] not in HEADS or name in network.state_dict()


def fit_codebook(codebook: Codebook, pixels: Pixels, side: int, material: Material) -> str:
    """Fit the codebook on frames of training clips, and say on how many."""
    pairs = material.splits[0].pairs if material.splits else ()
    clips = [*{pair.video: pair for pair in pairs if pair.path.is_file()}.values()]
    chosen = clips[:: max(1, -(-len(clips) // CLIPS))]
    patches, read = _patches(chosen, pixels, side)
    if not read:
        return (
            "no training clip can be read, so visual tokens are those of a codebook of random "
            "patches"
        )
    patches = patches[torch.randperm(len(patches))[:PATCHES]].to(codebook.centres)
    codebook.fit(patches)
    return (
        f"visual tokens are those of a codebook of {len(codebook.centres)} patches, fitted on "
        f"{len(patches)} patches of {counted(read, 'training clip')}"
    )


def _patches(
    clips: Sequence[Pair], pixels: Pixels, side: int
) -> tuple[Float[Tensor, "N 192"], int]:
    """Patches of a few frames of each clip that can be read, and how many clips that are."""
    found = []
    with FrameReader(pixels, FRAMES, None) as reader:
        for clip in clips:
            try:
                frames = torch.from_numpy(reader.read(clip))
            except MediaError:
                continue  # which training will tell of, where it meets it
            found.append(patches_of(frames, side).flatten(0, 1))
    return torch.cat(found) if found else torch.empty(0, 192), len(found)
