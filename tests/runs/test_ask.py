"""Models of every task that asks are asked about real videos, some of them broken."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import reeltune
from reeltune.cli.app import app
from reeltune.errors import ConfigError, DataError
from reeltune.registry import find, names
from reeltune.runs.ask import Question, Questioner
from reeltune.runs.own_videos import own_videos
from reeltune.types import Pair
from runs.own_models import ANSWERS, save


def reads_pictures(name: str) -> bool:
    """Whether a component is asked, and not about stored features."""
    fields = getattr(find("models", name).Config, "model_fields", {})
    return "task" in fields and "features" not in fields


ASK = {
    "multiple-choice": Question(question="what moves?", options=("a box", "a ring", "a disc")),
    "open-ended": Question(question="where to?"),
    "action-recognition": Question(),
    "sentiment": Question(said="how lovely"),
}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The folder of a model for each task."""
    listed = {"open-ended": {"answers": ANSWERS}, "action-recognition": {"answers": ANSWERS}}
    place = tmp_path_factory.mktemp("asked")
    return {task: save(place / task, task=task, **listed.get(task, {})) for task in ASK}


@torch.inference_mode()
def slow_scores(folder: str, path: Path, question: Question) -> list[float]:
    """What the model's own methods say about one video, read alone."""
    model: Any = reeltune.load(folder)
    features = own_videos(model, Path(folder)).reader.read(Pair(video="", path=path, caption=""))
    clip = torch.from_numpy(features)[None]
    video, row = model.read_video(clip, torch.ones(clip.shape[:2]).bool()), torch.tensor([0])
    given = {
        "multiple-choice": lambda: model.choose(
            video, row, [question.question], [question.options]
        ),
        "open-ended": lambda: model.answer(video, row, [question.question]),
        "action-recognition": lambda: model.classify(video),
        "sentiment": lambda: model.rate(video, row, [question.said])[None],
    }
    return given[model.judged_as]()[0].tolist()


@pytest.mark.parametrize("task", ASK)
def test_each_video_gets_the_answer_that_the_model_gives_it_alone(
    task: str, asked: dict[str, str], videos: Path
) -> None:
    paths = [videos / "two.mp4", videos / "red.mp4"][: 1 if ASK[task].said else 2]
    found = Questioner(asked[task]).ask([str(path) for path in paths], ASK[task])
    assert (found.failed, found.notes, found.exit_code) == ([], [], 0)
    for path in paths:
        reply, wanted = found.videos[str(path)], slow_scores(asked[task], path, ASK[task])
        if task == "sentiment":
            assert reply.answers == ()
            assert reply.rating == pytest.approx(wanted[0], abs=1e-5)
            continue
        names = ASK[task].options or ANSWERS
        scores = {answer.answer: answer.score for answer in reply.answers}
        assert scores == pytest.approx(dict(zip(names, wanted, strict=True)), abs=1e-5)
        ranks = [answer.score for answer in reply.answers]
        assert ranks == sorted(ranks, reverse=True)
        shares = torch.tensor(ranks).double().softmax(0).tolist()
        assert [answer.share for answer in reply.answers] == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in names("models") if reads_pictures(name)])
def test_models_that_read_pictures_are_asked_too(name: str, videos: Path, tmp_path: Path) -> None:
    config, question = find("models", name).Config.tiny(), ASK["multiple-choice"]
    torch.manual_seed(0)
    config.model_copy(update={"task": "multiple-choice"}).build().save_pretrained(tmp_path)
    red = videos / "red.mp4"
    found = Questioner(str(tmp_path)).ask([str(red)], question)
    scores = {answer.answer: answer.score for answer in found.videos[str(red)].answers}
    wanted = slow_scores(str(tmp_path), red, question)
    assert scores == pytest.approx(dict(zip(question.options, wanted, strict=True)), abs=1e-5)


def test_many_videos_are_read_some_at_a_time(
    asked: dict[str, str], videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = reeltune.ask([str(videos)], asked["open-ended"], "where to?")
    monkeypatch.setattr("reeltune.runs.video_by_video.AT_ONCE", 1)
    again = reeltune.ask([str(videos)], asked["open-ended"], "where to?")
    assert list(again.videos) == list(whole.videos)
    assert len(whole.videos) == 3
    for path, reply in whole.videos.items():
        best, wanted = again.videos[path].answers, reply.answers
        assert [a.score for a in best] == pytest.approx([a.score for a in wanted], abs=1e-5)


def test_a_broken_video_is_named_and_the_others_are_answered(
    asked: dict[str, str], videos: Path
) -> None:
    (videos / "bad.mp4").write_bytes(b"this is no video")
    found = reeltune.ask([str(videos)], asked["action-recognition"])
    assert sorted(Path(path).name for path in found.videos) == ["green.mp4", "red.mp4", "two.mp4"]
    assert [Path(one.path).name for one in found.failed] == ["bad.mp4"]
    assert "text, not a video" in found.failed[0].reason
    assert found.exit_code == 3
    none = reeltune.ask([str(videos / "bad.mp4")], asked["action-recognition"])
    assert (none.videos, none.exit_code) == ({}, 1)


REFUSED = [
    ("multiple-choice", Question(options=("a", "b")), "needs a question; give it after the videos"),
    ("multiple-choice", Question(question="what?"), r"needs answers to choose from.*--options A,B"),
    ("multiple-choice", Question(question="?", options=("a", "a")), "two or more that differ"),
    ("multiple-choice", Question(question="?", options=("a",)), "two or more that differ"),
    ("multiple-choice", Question(question="?", options=("a", " ")), "none of them empty"),
    ("open-ended", Question(), "answers questions and needs a question"),
    ("open-ended", Question(question="?", options=("a", "b")), "leave --options a,b out"),
    ("action-recognition", Question(question="what?"), r"reads no question; leave what\? out"),
    ("action-recognition", Question(said="oh"), "does not read what is said; leave --said oh out"),
    (
        "open-ended",
        Question(question="caf\udce9?"),
        r"the question 'caf\\udce9\?' is not UTF",
    ),
    ("sentiment", Question(said="\udce9"), r"what is said '\\udce9' is not UTF-8; type it in a"),
    ("multiple-choice", Question(question="?", options=("a", "\udce9")), "the option '.*' is not"),
    ("sentiment", Question(), r"rates what is said in a clip and needs .*--said TEXT"),
]


@pytest.mark.parametrize(("task", "question", "message"), REFUSED)
def test_what_a_model_does_not_read_or_lacks_is_said(
    task: str, question: Question, message: str, asked: dict[str, str], videos: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        Questioner(asked[task]).ask([str(videos)], question)


def test_a_model_that_is_not_asked_says_what_it_does(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tiny-clip finds videos and is not asked; train a mod"):
        Questioner("tiny-clip")
    writer = save(tmp_path, reads="nothing")
    with pytest.raises(ConfigError, match=r"writes captions and is not asked"):
        Questioner(writer)


def test_what_is_said_is_of_one_video_and_paths_must_be_there(
    asked: dict[str, str], videos: Path
) -> None:
    with pytest.raises(ConfigError, match=r"said in one video, and 3 are given"):
        reeltune.ask([str(videos)], asked["sentiment"], said="oh")
    with pytest.raises(DataError, match=r"is not there; give a video"):
        reeltune.ask([str(videos / "none.mp4")], asked["action-recognition"])


def test_texts_that_are_cut_or_not_known_are_noted(asked: dict[str, str], videos: Path) -> None:
    long = " ".join(["what"] * 60)
    found = reeltune.ask([str(videos / "red.mp4")], asked["open-ended"], long)
    assert len(found.notes) == 1
    assert "longer than the model reads, and cut" in found.notes[0]


def reeltune_command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reeltune", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_the_best_answers_and_names_what_failed(
    asked: dict[str, str], videos: Path
) -> None:
    (videos / "bad.mp4").write_bytes(b"this is no video")
    options = ["--options", "a box, a ring,a disc", "--model", asked["multiple-choice"]]
    done = reeltune_command("ask", videos, "what moves?", *options, "--top", "2", "--json")
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert len(told["videos"]) == 3
    assert all(len(video["answers"]) == 2 for video in told["videos"])
    assert {a["answer"] for video in told["videos"] for a in video["answers"]} <= {
        *("a box", "a ring", "a disc")
    }
    assert Path(told["failed"][0]["path"]).name == "bad.mp4"


def test_people_read_answers_and_a_mistake_is_one_line(asked: dict[str, str], videos: Path) -> None:
    def run(*words: str | Path) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["ask", *map(str, words)])
        return done.exit_code, done.stdout, done.stderr

    red = videos / "red.mp4"
    code, said, _ = run(red, "--model", asked["action-recognition"], "--top", "1")
    assert code == 0
    assert said.startswith(f"{red}: ")
    assert any(said.split(": ")[1].startswith(f"{name} (") for name in ANSWERS)
    code, said, _ = run(red, "--said", "oh", "--model", asked["sentiment"])
    assert code == 0
    assert float(said.removeprefix(f"{red}: ")) < 3
    for words, message in (
        ((red, videos / "gone.mp4", "--model", asked["open-ended"]), "needs a question"),
        ((red, red, "--model", asked["open-ended"]), "needs a question"),
        (("what?", "--model", asked["open-ended"]), "'what?' is no video; give a video"),
        ((red, "what?", "--model", "tiny-clip"), "finds videos and is not asked"),
    ):
        code, _, said = run(*words)
        assert code == 1
        assert said.startswith("error: ")
        assert message in said
        assert said.count("\n") == 1
