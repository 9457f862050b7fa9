"""Shapes in annotations: those of jaxtyping, or words without it, which then nothing checks."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxtyping import Float as Float
else:
    try:
        from jaxtyping import Float
    except ModuleNotFoundError:  # MELTR alone, beside torch

        class Float:
            """`Float[Tensor, "B D"]` is then `Tensor`."""

            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]
