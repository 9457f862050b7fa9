"""What a loss of one space of texts and videos is asked for."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Objective(Protocol):
    """A loss of the cosines of a batch.

    Row i of `cosines` is text i against every video, and video i is its own. `scale` is the
    model's logit scale, at most 100, by which a loss that is a softmax multiplies them; one with a
    margin leaves it unread, and then nothing trains it. Rows of one `group` show the same video and
    must not be wrong answers for each other.
    """

    def __call__(
        self, cosines: Float[Tensor, "B B"], scale: Float[Tensor, ""], group: Int[Tensor, " B"]
    ) -> Float[Tensor, ""]: ...
