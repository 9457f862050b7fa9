"""The options inside a released checkpoint: each is used, checked, or refused by its name.

Names are those of the trainers of hybrid_space (2021) and dual_encoding (2019).
"""

from collections.abc import Mapping
from pathlib import Path

from reeltune.errors import CheckpointError
from reeltune.models._dual_encoding._vocabulary import SPECIALS
from reeltune.models.dual_encoding import Config

COMPUTED: dict[str, tuple[object, ...]] = {  # what is computed here, of what the option may be
    "model": ("dual_encoding", "dual_encoding_hybrid", "dual_encoding_latent"),
    "concate": ("full",),
    "gru_pool": ("mean",),
    "measure": ("cosine",),
    "text_norm": (True,),
    "visual_norm": (True,),
}
OF_CONCEPTS: dict[str, tuple[object, ...]] = {"measure_2": ("jaccard",)}
USED = {  # become settings, or say where the files of the training lie
    *("dropout", "margin", "visual_feature", "vocab", "collections_pathname"),
    *("trainCollection", "valCollection", "testCollection"),
}
TRAINING = {  # how the weights were found: no vector and no score depends on it
    *("rootpath", "collectionStrt", "collection", "cap_file", "overwrite", "n_caption"),
    *("loss_fun", "margin_2", "direction", "max_violation", "cost_style", "optimizer"),
    *("learning_rate", "lr_decay_rate", "grad_clip", "resume", "val_metric", "num_epochs"),
    *("batch_size", "workers", "postfix", "log_step", "cv_name", "logger_name", "we_parameter"),
}


def check_options(options: Mapping[str, object], config: Config, path: Path) -> None:
    """Raise CheckpointError for an option by which the weights compute other than here.

    `config` has the sizes that the weights have.
    """
    computed = COMPUTED | (OF_CONCEPTS if config.concepts else {})
    sizes = _sizes(config)
    known = {*COMPUTED, *OF_CONCEPTS, *sizes, "tag_vocab_size"} | USED | TRAINING
    for name, value in options.items():
        if name not in known:
            raise CheckpointError(
                f"{path} was trained with the option {name}={value!r}, which neither hybrid_space "
                "nor dual_encoding has, so what its weights compute is not known; give a "
                "checkpoint of one of these"
            )
        if name in computed and value not in computed[name]:
            raise CheckpointError(
                f"{path} was trained with {name}={value!r}, and what is computed here is "
                f"{' or '.join(map(repr, computed[name]))}, so its vectors would be others; "
                "measure it with the code that it came from"
            )
        if name in sizes and value != sizes[name]:
            raise CheckpointError(
                f"{path} says {name}={value!r}, and its weights are of {sizes[name]!r}; "
                "take options and weights from one file"
            )


def _sizes(config: Config) -> dict[str, object]:
    """Sizes that the options repeat, because the shapes of the weights give them too."""
    video, text = config.video_hidden or config.hidden, config.hidden
    widths = {
        "visual": 2 * video + config.filters * len(config.video_kernels) + config.features,
        "text": 2 * text + config.filters * len(config.text_kernels) + config.words,
    }
    return {
        "space": "hybrid" if config.concepts else "latent",
        "visual_feat_dim": config.features,
        "visual_rnn_size": video,
        "text_rnn_size": text,
        "visual_kernel_sizes": list(config.video_kernels),
        "text_kernel_sizes": list(config.text_kernels),
        "visual_kernel_num": config.filters,
        "text_kernel_num": config.filters,
        "word_dim": config.embedding,
        "vocab_size": config.words + SPECIALS,
        "bow_vocab_size": config.words,
        **{f"{side}_mapping_layers": [width, config.latent] for side, width in widths.items()},
        **({"tag_vocab_size": config.concepts} if config.concepts else {}),
    }
