"""Which rows and columns of Dual Encoding belong to one hidden unit."""

from typing import Protocol, runtime_checkable

from reeltune.compress.structured import Group, columns, gru_columns, gru_rows, rows

SPACES = ("latent", "concept")


@runtime_checkable
class Sizes(Protocol):
    """What has to be known of the model."""

    hidden: int
    filters: int
    concepts: int
    video_bidirectional: bool
    text_bidirectional: bool
    video_kernels: tuple[int, ...]
    text_kernels: tuple[int, ...]


def dual_encoding_units(sizes: Sizes) -> list[Group]:
    """Units of both towers' GRUs and filters of their convolutions, one group for each layer.

    The columns of the mappings stand in the order GRU forward, GRU backward, filters kernel by
    kernel, global level; the global level and the space itself keep their width.
    """
    video = tower_units("video", sizes, sizes.video_bidirectional, len(sizes.video_kernels))
    return video + tower_units("text", sizes, sizes.text_bidirectional, len(sizes.text_kernels))


def tower_units(tower: str, sizes: Sizes, bidirectional: bool, kernels: int) -> list[Group]:
    """The groups of one tower."""
    ways = ("forward", "backward") if bidirectional else ("forward",)
    layer, convs = f"{tower}.levels.gru", [f"{tower}.levels.convs.{k}" for k in range(kernels)]
    maps = [f"{tower}.space.{space}" for space in SPACES[: 2 if sizes.concepts else 1]]
    states = [
        Group(
            name=f"{tower} {way}",
            units=sizes.hidden,
            producers=gru_rows(layer, sizes.hidden, reverse=way == "backward"),
            consumers=(
                *gru_columns(layer, reverse=way == "backward"),
                *(span for read in convs + maps for span in columns(read, place * sizes.hidden)),
            ),
        )
        for place, way in enumerate(ways)
    ]
    start = len(ways) * sizes.hidden
    filters = [
        Group(
            name=f"{conv} filters",
            units=sizes.filters,
            producers=rows(conv),
            consumers=tuple(
                span for read in maps for span in columns(read, start + place * sizes.filters)
            ),
        )
        for place, conv in enumerate(convs)
    ]
    return states + filters
