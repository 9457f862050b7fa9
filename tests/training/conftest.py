"""Fixtures of the tests that train."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_run import Footage

from reeltune.batches.loader import FrameReader


@pytest.fixture(scope="session")
def footage(toybox: Path, tmp_path_factory: pytest.TempPathFactory) -> Footage:
    """Toybox with its frames decoded already."""
    return Footage(toybox, tmp_path_factory.mktemp("frames")).fill()


@pytest.fixture
def reader(footage: Footage) -> Iterator[FrameReader]:
    with footage.reader() as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors here are so small that threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
