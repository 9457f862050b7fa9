"""Which rows and columns of Dual Encoding belong to one hidden unit."""

from typing import Literal, Protocol, runtime_checkable

from reeltune.compress.structured import Group, columns, gru_columns, gru_rows, rows

SPACES = ("latent", "concept")


@runtime_checkable
class Sizes(Protocol):
    """Sizes of the model that matter here."""

    hidden: int
    video_hidden: int | None
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
    return tower_units("video", sizes) + tower_units("text", sizes)


def tower_units(tower: Literal["video", "text"], sizes: Sizes) -> list[Group]:
    """The groups of one tower."""
    if tower == "video":
        hidden = sizes.video_hidden or sizes.hidden
        bidirectional, kernels = sizes.video_bidirectional, len(sizes.video_kernels)
    else:
        hidden, bidirectional = sizes.hidden, sizes.text_bidirectional
        kernels = len(sizes.text_kernels)
    ways = ("forward", "backward") if bidirectional else ("forward",)
    layer, convs = f"{tower}.levels.gru", [f"{tower}.levels.convs.{k}" for k in range(kernels)]
    maps = [f"{tower}.space.{space}" for space in SPACES[: 2 if sizes.concepts else 1]]
    states = [
        Group(
            name=f"{tower} {way}",
            units=hidden,
            producers=gru_rows(layer, hidden, reverse=way == "backward"),
            consumers=(
                *gru_columns(layer, reverse=way == "backward"),
                *(span for read in convs + maps for span in columns(read, place * hidden)),
            ),
        )
        for place, way in enumerate(ways)
    ]
    start = len(ways) * hidden
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
