"""The amount of training: pairs of an epoch, and steps in all."""

from dataclasses import dataclass

from reeltune.batches.loader import Order
from reeltune.errors import counted
from reeltune.training.settings import Settings


@dataclass(frozen=True)
class Amount:
    """The pairs of an epoch, and the greatest possible number of steps."""

    videos: int | None  # None: of the source the captions alone are known
    pairs: int  # of a video and a caption, in each epoch
    steps: int  # fewer where patience ends training before its last epoch

    def said(self, settings: Settings) -> str:
        """A sentence on pairs, steps and epochs for whoever waits."""
        of = "" if self.videos is None else f" of {counted(self.videos, 'video')}"
        most = "at most " if settings.patience is not None else ""
        size = settings.batch * settings.accumulate
        return (
            f"{counted(self.pairs, 'pair')}{of} an epoch, {most}{counted(self.steps, 'step')} of "
            f"{size} in {counted(settings.epochs, 'epoch')}"
        )


def amount_of(order: Order, settings: Settings) -> Amount:
    """The amount of training in this order, by all processes together."""
    videos = len({pair.video for pair in order.pairs})
    pairs = len(order.pairs) if order.every_caption else videos
    return Amount(videos, pairs, order.batches // settings.accumulate * settings.epochs)
