"""Starts processes that know all modules already, and have no threads."""

import multiprocessing
from multiprocessing.context import ForkServerContext

PARTS = ["training.loop", "training.step", "models.tuned", "models.vop", "data.toybox"]


def warm() -> ForkServerContext:
    """Their server is one for the whole process, and knows what it was first asked to import."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"reeltune.{part}" for part in PARTS])
    return context
