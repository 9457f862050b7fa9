"""Names in files that somebody sent run no code, wherever a file may hold one."""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
import yaml
from typer.testing import CliRunner

import reeltune
from reeltune import registry
from reeltune.cli.app import app
from reeltune.errors import CheckpointError, ReeltuneError
from reeltune.features.index import Index, Making
from reeltune.models import alpro, clip, dual_encoding, univl, vop
from reeltune.models.opening.open import load, open_model
from reeltune.models.opening.weights import write_card
from reeltune.recipes.read import read_recipe
from reeltune.recipes.stored import as_stored, stored_recipe, write_recipe
from reeltune.runs.describe import describe
from reeltune.runs.evaluation_recipe import evaluation_recipe
from reeltune.runs.feature_maker import Maker
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.store.manifest import Manifest

NAME = "strangers_code.model"
MODULE = """
from pathlib import Path
Path({ran!r}).write_text("it ran")
from reeltune.models import tiny_clip
Config, FOLDER, HOW = tiny_clip.Config, tiny_clip.FOLDER, "from there"
def load(folder, device=None, dtype=None):
    return tiny_clip.load(None, device, dtype)
"""
REFUSED = rf"{NAME}. is installed, and no file may say which module is imported"


@pytest.fixture(autouse=True)
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that is there once the module of a stranger, which Python finds, was imported."""
    ran, package = tmp_path / "ran", tmp_path / "path" / "strangers_code"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "model.py").write_text(MODULE.format(ran=str(ran)))
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(registry, "_GIVEN", set())
    yield ran
    for name in [name for name in sys.modules if name.partition(".")[0] == "strangers_code"]:
        del sys.modules[name]
    registry._entry_points.cache_clear()


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    return tmp_path / "sent"


def rewrite_card(folder: Path, **config: object) -> Path:
    card = yaml.safe_load((folder / "config.yaml").read_text())
    write_card(folder, card["model"], {**card["config"], **config})
    return folder


def library_that_names_it(folder: Path) -> Path:
    folder.mkdir()
    fields = {"fingerprint": "0" * 32, "dim": 8, "sampling": "gap 2", "segments": "all"}
    Manifest(model=NAME, **fields).write(folder)  # type: ignore[arg-type]
    return folder


def run_that_names_it(folder: Path, **changes: object) -> Path:
    """A run of VoP whose recipe has such settings."""
    vop.Config.tiny().build().save_pretrained(folder)
    stored = as_stored(read_recipe("toybox/vop", {"options.size": "tiny"}))
    for path, value in changes.items():
        section, _, name = path.rpartition("__")
        (stored[section] if section else stored)[name] = value
    write_recipe(stored, folder)
    return folder


def opens_library(sent: Path) -> object:
    return Library(library_that_names_it(sent)).model


def indexes_library(sent: Path) -> object:
    (sent.parent / "a.mp4").write_bytes(b"no video")
    return index([str(sent.parent / "a.mp4")], library_that_names_it(sent))


def opens_card(sent: Path) -> object:
    write_card(sent, NAME, {})
    return load(str(sent))


def describes_card(sent: Path) -> object:
    write_card(sent, NAME, {})
    return describe(str(sent))


def stands_on_card(sent: Path) -> object:
    write_card(sent, NAME, {})
    return vop.Config(base=str(sent)).skeleton()


def opens_base(sent: Path) -> object:
    vop.Config.tiny().build().save_pretrained(sent)
    return load(str(rewrite_card(sent, base=NAME, base_fingerprint="0" * 32)))


def describes_base(sent: Path) -> object:
    vop.Config.tiny().build().save_pretrained(sent)
    return describe(str(rewrite_card(sent, base=NAME)))


def learns_by_loss(sent: Path) -> object:
    vop.Config.tiny().build().save_pretrained(sent)
    return load(str(rewrite_card(sent, objective=NAME))).config.loss


def encodes_for_dual_encoding(sent: Path) -> object:
    dual_encoding.Config.tiny().build().save_pretrained(sent)
    model = open_model(str(rewrite_card(sent, encoder=NAME, encoder_fingerprint="0" * 32)))
    side = model.pixels.size
    return model.encode_video(torch.zeros(1, 1, 3, side, side).byte(), torch.ones(1, 1).bool())


def encodes_for_univl(sent: Path) -> object:
    univl.Config.tiny().build().save_pretrained(sent)
    return open_model(str(rewrite_card(sent, encoder=NAME, encoder_fingerprint="0" * 32))).pixels


def prompts_alpro(sent: Path) -> object:
    config = alpro.Config.tiny().model_copy(update={"prompter": NAME})
    return config.build().save_pretrained(sent)  # with the fingerprint of the prompter


def reads_run_of_component(sent: Path) -> object:
    return evaluate_recipe(run_that_names_it(sent, component=NAME))


def reads_run_of_dataset(sent: Path) -> object:
    return evaluate_recipe(run_that_names_it(sent, dataset=NAME))


def reads_run_on_base(sent: Path) -> object:
    recipe = stored_recipe(run_that_names_it(sent, config__base=NAME))
    return recipe and recipe.model_config_of().opened()


def evaluate_recipe(run: Path) -> object:
    recipe = stored_recipe(run)
    evaluation_recipe(str(run), "toybox", {})
    return recipe and (recipe.model_config_of(), recipe.dataset_config())


def own(sent: Path, text: str) -> object:
    sent.mkdir()
    (sent / "own.yaml").write_text(f"benchmark: toybox\noptions: {{size: tiny}}\n{text}\n")
    recipe = read_recipe(str(sent / "own.yaml"))
    config = recipe.model_config_of()
    return config.loss, config.opened()


def own_component(sent: Path) -> object:
    return own(sent, f"method: vop\ncomponent: {NAME}")


def own_dataset(sent: Path) -> object:
    return own(sent, f"method: vop\ndataset: {NAME}")


def own_base(sent: Path) -> object:
    return own(sent, f"method: vop\nconfig: {{base: {NAME}}}")


def own_loss(sent: Path) -> object:
    return own(sent, f"method: vop\nconfig: {{objective: {NAME}}}")


def own_scheme(sent: Path) -> object:
    return own(sent, f"method: univl-meltr\nmeltr: {{scheme: {NAME}}}")


def own_encoder(sent: Path) -> object:
    return own(sent, f"method: univl\nconfig: {{encoder: {NAME}}}")


def features_made_by_it(sent: Path) -> object:
    univl.Config.tiny().build().save_pretrained(sent)
    making = Making(width=8, model=NAME, fingerprint="0" * 32)
    Index(making=making, videos={}).write(sent)
    plain = univl.Config.tiny().model_copy(update={"encoder": None})
    config = Maker(making, sent).known_to(plain, "cpu")
    return config.build().pixels


DOORS: list[Callable[[Path], object]] = [
    opens_library,
    indexes_library,
    opens_card,
    describes_card,
    stands_on_card,
    opens_base,
    describes_base,
    learns_by_loss,
    encodes_for_dual_encoding,
    encodes_for_univl,
    prompts_alpro,
    reads_run_of_component,
    reads_run_of_dataset,
    reads_run_on_base,
    own_component,
    own_dataset,
    own_base,
    own_loss,
    own_scheme,
    own_encoder,
    features_made_by_it,
]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_file_imports_no_module(door: Callable[[Path], object], sent: Path, ran: Path) -> None:
    with pytest.raises(ReeltuneError, match=REFUSED if door is not describes_base else NAME):
        door(sent)
    assert not ran.exists()
    assert "strangers_code" not in sys.modules


def test_commands_say_it_in_one_line(sent: Path, ran: Path) -> None:
    write_card(sent, NAME, {})
    library = library_that_names_it(sent.parent / "library")
    commands = (
        ["search", "a dog", "--library", library],
        ["index", sent.parent, "--library", library],
        ["features", sent.parent, "--model", sent, "--out", sent.parent / "out"],
        ["evaluate", sent],
        ["prune", sent, "--out", sent.parent / "out"],
        ["describe", sent],
    )
    (sent.parent / "a.mp4").write_bytes(b"no video")
    for command in commands:
        done = CliRunner().invoke(app, list(map(str, command)))
        assert done.exit_code == 1, command
        assert len(done.stderr.splitlines()) == 1, command
        assert "no file may say which module is imported" in done.stderr, command
        assert not ran.exists(), command


GIVEN: list[Callable[[], object]] = [
    lambda: reeltune.load(NAME),
    lambda: index(["a.mp4"], "library", Choice(model=NAME)),
    lambda: read_recipe("toybox/vop", {"config.base": NAME}).model_config_of().opened(),
    lambda: CliRunner().invoke(app, ["describe", NAME]),
    lambda: CliRunner().invoke(app, ["describe", "toybox/vop", f"--set=config.base={NAME}"]),
    lambda: CliRunner().invoke(app, ["features", "a.mp4", "--model", NAME, "--out", "out"]),
    lambda: CliRunner().invoke(app, ["datasets", NAME]),
    lambda: CliRunner().invoke(app, ["table", NAME]),
]


@pytest.mark.parametrize("gives", GIVEN)
def test_a_person_and_a_program_may_name_a_module(
    gives: Callable[[], object], tmp_path: Path, ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with suppress(ReeltuneError):
        gives()
    assert ran.exists()


def test_a_folder_goes_before_the_module_of_its_name(
    tmp_path: Path, ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clip.Config.tiny().build().save_pretrained(Path(NAME))
    assert isinstance(reeltune.load(NAME), clip.Clip)
    assert not ran.exists()


def test_what_is_installed_for_reeltune_may_be_named_by_a_file(sent: Path, ran: Path) -> None:
    write_card(sent, "of-strangers", {})
    with pytest.raises(CheckpointError, match="no model named 'of-strangers'; there are: "):
        open_model(str(sent))
    info = ran.parent / "path" / "strangers_code-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers_code\nVersion: 1\n")
    points = f"[reeltune.models]\nof-strangers = {NAME}\n"
    (info / "entry_points.txt").write_text(points)
    registry._entry_points.cache_clear()
    assert "of-strangers" in registry.names("models")
    assert isinstance(open_model(str(sent)), clip.Clip)
    assert ran.exists()
