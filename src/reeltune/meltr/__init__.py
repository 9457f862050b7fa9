"""MELTR: a small network learns how to melt many losses into one (Ko et al., CVPR 2023).

from reeltune.meltr import Melt

melt = Melt(model, losses=compute_losses, primary="retrieval", judge_on=held_out)
for batch in loader:
    melt.step(batch)
    optimizer.step()
    optimizer.zero_grad()
"""

from reeltune.meltr.melt import Melt
from reeltune.meltr.outer import HeldOut, Recent
from reeltune.meltr.settings import Settings

__all__ = ["HeldOut", "Melt", "Recent", "Settings"]
