"""Fixtures shared by all tests: real footage where it lies at hand, and small real files."""

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import hypothesis
import jaxtyping
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from shapes import check_shapes

if "COVERAGE_FOLDER" in os.environ:
    from reached import Reached

    REACHED = Reached(Path(os.environ["COVERAGE_FOLDER"]))
    check_shapes(REACHED.compiled)
else:
    REACHED = None
    check_shapes(None)

from media.numbered_video import Numbered, write_numbered
from media.own_videos import write_clip, write_videos
from reeltune.media.decoder import Decoder
from reeltune.types import Pixels

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole paths come first: their files take longest, and none is left to one worker at the
    end."""
    items.sort(key=lambda item: item.path.parent.name != "whole")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Modules and tests stay to the end, so the collector of garbage never looks at them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000)  # as the command line does
        gc.enable()


def pytest_sessionfinish() -> None:
    gc.collect()  # so that an error of what is left behind is seen
    gc.freeze()  # and is looked for once, not five times as pytest does
    if REACHED is not None:
        REACHED.write()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real clips, photos and annotations that are not part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is absent: real clips are not shipped with the project")
    return SHARED_DATA


@pytest.fixture(autouse=True, scope="session")
def ctrl_c() -> None:
    """Ctrl-C reaches tests and the processes that they start, also where the suite itself was
    started in the background and a shell had switched it off."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders of their own for what commands remember and keep, not those of whoever runs the
    tests."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("state")
        patch.setenv("REELTUNE_STATE", str(folder))
        patch.setenv("REELTUNE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("REELTUNE_PRECISION", "float32")  # or figures would depend on the processor
        yield folder


@pytest.fixture(autouse=True, scope="session")
def commands() -> Iterator[None]:
    """The tree of commands is built once, not from all signatures for each command that is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield


@pytest.fixture(autouse=True)
def draws() -> None:
    """A test draws the same whichever ran before it, and not what `model` was drawn from."""
    import torch

    torch.default_generator.manual_seed(1)
    if torch.cuda.is_available():  # or else torch keeps a stack trace of each call, for later
        torch.cuda.manual_seed_all(1)


Clip = Callable[..., Path]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a tiny CLIP with random weights."""
    import torch

    from reeltune.models.clip import Config

    folder = tmp_path_factory.mktemp("model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Config.tiny().build().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def exported_model(model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """That model as ONNX graphs, by which a process that indexes starts without torch, in a
    third of the time."""
    from reeltune.models.exported.write import graphs_of, write_onnx
    from reeltune.models.opening.open import open_model

    folder = tmp_path_factory.mktemp("exported")
    write_onnx(*graphs_of(open_model(model, "cpu", None), model), model, folder)
    return str(folder)


@pytest.fixture(scope="session")
def clip() -> Clip:
    return write_clip


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder of three clips that a test may change."""
    return write_videos(tmp_path / "videos")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, model: str) -> Path:
    """A library of three clips, made by the command line from beside them; not to be changed."""
    from reeltune.cli.app import app

    folder = tmp_path_factory.mktemp("library")
    write_videos(folder / "videos")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(app, ["index", "videos", "-l", "lib", "--model", model])
    assert done.exit_code == 0, done.output
    return folder / "lib"


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all processes of this run, for what is made once behind a lock."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def toybox(common: Path) -> Path:
    """The smallest Toybox, 44 clips; not to be changed."""
    from reeltune.data._toybox.make import make_toybox

    return make_toybox(common / "toybox", "tiny", 0)


@pytest.fixture
def numbered() -> Numbered:
    return write_numbered


@pytest.fixture(scope="session")
def plain_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Ten seconds of h264 in mp4 with the index at the front, as bytes to damage."""
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    return write_numbered(path, muxer={"movflags": "faststart"}).read_bytes()


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    """One worker for all tests of a file, as a run over a folder has."""
    with Decoder(Pixels(size=96, fit="squash")) as shared:
        yield shared


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Without the checks of types that tests alone make, as a user runs it."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
