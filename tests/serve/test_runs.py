"""Training runs over HTTP: read while they grow, compared, drawn, and broken ones told."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest

from oracles.slow_retrieval import card_for, pairs_of
from reeltune.cli.commands.serve import folders, ready
from reeltune.errors import ConfigError
from reeltune.evaluation.compare import compare
from reeltune.evaluation.retrieval import Report, retrieval_report
from reeltune.recipes.read import read_recipe
from reeltune.recipes.stored import as_stored, write_recipe
from reeltune.serve.settings import Settings
from reeltune.training.log import Log
from serve.browsing import chromium, grave_findings
from serve.running import running

MARKUP = "<img src=x onerror=alert(1)>"
NAMES = [f"v{i}" for i in range(30)]
PAIRS = pairs_of([name for name in NAMES for _ in range(2)])


def report_of(noise: float, **changed: object) -> Report:
    own = np.repeat(np.eye(30), 2, axis=0)
    scores = own + noise * np.random.default_rng(0).standard_normal(own.shape)
    return retrieval_report(scores, PAIRS, NAMES, card_for(PAIRS, NAMES, **changed))


def logged(folder: Path, steps: int = 4) -> Path:
    folder.mkdir(parents=True)
    log = Log(folder, 0, 0)
    for step in range(1, steps + 1):
        log.write("step", step, {"loss": 1 / step, "lr": 1e-3, "clips/s": 9.0})
        if step % 2 == 0:
            log.write("epoch", step, {"epoch": step / 2 - 1, "t2v R@1": 10.0 * step, "SumR": 300.0})
    log.close()
    return folder


def append(folder: Path, text: str) -> None:
    with (folder / "log.jsonl").open("a") as log:
        log.write(text)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that are finished, stopped, broken, and tuned; and one outside that a link leads to."""
    runs = tmp_path_factory.mktemp("place") / "runs"
    for name, noise in (("good", 0.1), ("bad", 1.0)):
        out = logged(runs / "toybox" / name)
        report_of(noise, model=name).write(out / "metrics.json")
        write_recipe(as_stored(read_recipe("toybox/vop")), out)
    report_of(0.1, frames="uniform 99").write(logged(runs / "unlike") / "metrics.json")
    tuned = logged(runs / MARKUP)
    report_of(1.0, model=MARKUP).write(tuned / "before.json")
    report_of(0.1, model=MARKUP).write(tuned / "metrics.json")
    stopped = logged(runs / "stopped")
    append(stopped, '{"kind": "st')
    os.utime(stopped / "log.jsonl", (1e9, 1e9))
    broken = logged(runs / "broken")
    strange = '{"kind": "step", "step": 6, "loss": NaN, "<b>": 1e999, "\\ud800": 3}'
    append(broken, f"no line\n{strange}\n")
    (broken / "metrics.json").write_text('{"t2v": 3}')
    (broken / "recipe.yaml").write_text("name: [")
    lacking = report_of(0.1).as_dict() | {"v2t": {}}
    (logged(runs / "lacking") / "metrics.json").write_text(json.dumps(lacking))
    unfit = report_of(0.1).as_dict()
    unfit["ranks"]["tagged"] = {"far": [10**6]}
    unfit["subsets"] = {"far": unfit["t2v"]}
    (logged(runs / "unfit") / "metrics.json").write_text(json.dumps(unfit))
    outside = logged(runs.parent / "outside")
    report_of(0.1).write(outside / "metrics.json")
    (runs / "linked").symlink_to(outside)
    shutil.copytree(stopped, runs / "peeps")
    (runs / "peeps" / "recipe.yaml").symlink_to(outside / "log.jsonl")
    return runs


@pytest.fixture(scope="module")
def client(place: Path) -> Iterator[httpx.Client]:
    with running(Settings(library=place.parent / "none", runs=(place,))) as client:
        yield client


def ids(client: httpx.Client) -> dict[str, str]:
    return {run["name"]: run["id"] for run in client.get("/api/runs").json()["items"]}


def run(client: httpx.Client, name: str) -> dict[str, object]:
    found: dict[str, object] = client.get(f"/api/runs/{ids(client)[f'runs/{name}']}").json()
    return found


def test_runs_below_the_folders_are_listed_and_links_are_not_followed(client: httpx.Client) -> None:
    names = {"toybox/good", "toybox/bad", "unlike", MARKUP, "stopped", "broken", "peeps"}
    names |= {"lacking", "unfit"}
    assert ids(client).keys() == {f"runs/{name}" for name in names}
    page = client.get("/api/runs", params={"start": 2, "count": 2}).json()
    assert (len(page["items"]), page["total"], page["next"], page["unread"]) == (2, 9, 4, [])
    assert client.get("/api/runs/" + "0" * 32).json()["kind"] == "NoRun"


def test_a_finished_run_has_its_recipe_epochs_figures_and_card(client: httpx.Client) -> None:
    found, report = run(client, "toybox/good"), report_of(0.1, model="good")
    assert (found["state"], found["epochs"], found["steps"]) == ("finished", 2, 4)
    assert found["figures"] == report.values()
    assert found["report"] == json.loads(json.dumps(report.figures()))
    assert found["protocol"]["frames"] == report.protocol.frames
    assert found["recipe"]["name"] == "toybox/vop"
    assert found["history"][1] == {"step": 4, "epoch": 1, "t2v R@1": 40, "SumR": 300}
    assert found["last"] == {"step": 4, "loss": 0.25, "lr": 1e-3, "clips/s": 9}
    assert found["problems"] == []
    steps = client.get(f"/api/runs/{found['id']}/steps", params={"count": 3}).json()
    assert ([step["loss"] for step in steps["items"]], steps["next"]) == ([1, 1 / 2, 1 / 3], 3)


def test_a_run_that_goes_on_is_read_while_it_grows(client: httpx.Client, place: Path) -> None:
    log = (logged(place / "going", 2) / "log.jsonl").open("a", buffering=1)
    try:
        for half, rest, steps in (('{"kind": "step", ', '"step": 3}\n', 2), ("", "", 3)):
            log.write(half)
            log.flush()
            found = run(client, "going")
            log.write(rest)
            assert (found["state"], found["steps"], found["problems"]) == ("running", steps, [])
            assert "data-live" in client.get(f"/runs/{found['id']}").text
    finally:
        log.close()
        shutil.rmtree(place / "going")


def test_what_is_broken_is_said_and_the_rest_is_shown(client: httpx.Client) -> None:
    found = run(client, "broken")
    assert (found["state"], found["steps"], found["last"]) == ("finished", 5, {"step": 6, "?": 3})
    log, report, recipe = found["problems"]
    assert log == "log.jsonl: passed over 1 line that cannot be read"
    assert report.startswith("metrics.json: not a retrieval report")
    assert recipe.startswith("recipe.yaml is no recipe that this version reads")
    cut = "log.jsonl: the last line is half a line, and is passed over"
    assert (run(client, "stopped")["state"], run(client, "stopped")["problems"]) == (
        "stopped",
        [cut],
    )
    assert run(client, "peeps")["problems"] == [
        cut,
        "recipe.yaml: it is a link, which is not followed",
    ]
    (lacks,) = run(client, "lacking")["problems"]
    assert lacks.startswith("metrics.json: a report lacks v2t R@1, v2t R@5")
    for name in ("broken", "stopped", "lacking"):
        assert client.get(f"/runs/{ids(client)[f'runs/{name}']}").status_code == 200


def test_two_runs_are_compared_as_the_package_compares_them(client: httpx.Client) -> None:
    by_name = ids(client)
    good, bad, unlike = (by_name[f"runs/{n}"] for n in ("toybox/good", "toybox/bad", "unlike"))
    found = client.get(f"/api/runs/{good}/against/{bad}").json()
    wanted = compare(report_of(1.0, model="bad"), report_of(0.1, model="good"))
    assert found["differences"] == wanted.as_dict()["differences"]
    assert (found["a"], found["b"], found["lacks"]) == (wanted.a, wanted.b, wanted.lacks())
    page = client.get("/runs/compare", params={"run": [bad, good]}).text
    assert "outside noise" in page
    refused = client.get(f"/api/runs/{good}/against/{unlike}")
    assert refused.status_code == 400
    assert "frames: 'uniform 99' against" in refused.json()["error"]
    page = client.get("/runs/compare", params={"run": [unlike, good]}).text
    assert "follow unlike protocols" in page
    assert "uniform 99" in page


def test_what_cannot_be_compared_is_refused_with_the_reason(client: httpx.Client) -> None:
    by_name = ids(client)
    good, stopped = by_name["runs/toybox/good"], by_name["runs/stopped"]
    refused = client.get(f"/api/runs/{stopped}/against/{good}")
    assert (refused.status_code, refused.json()) == (
        409,
        {
            "error": "runs/stopped cannot be compared: it has no report yet",
            "kind": "NotFinished",
        },
    )
    unfit = by_name["runs/unfit"]
    unfit = client.get(f"/api/runs/{unfit}/against/{unfit}")
    assert unfit.status_code == 409
    assert "do not fit the" in unfit.json()["error"]
    for chosen, said in (
        ([good], "runs that are chosen: 1; choose two"),
        ([good, "0"], "there is no run 0"),
    ):
        assert said in client.get("/runs/compare", params={"run": chosen}).text


def test_a_tuning_shows_its_gain_and_nothing_of_a_run_becomes_markup(client: httpx.Client) -> None:
    found = run(client, MARKUP)
    gain = compare(report_of(1.0, model=MARKUP), report_of(0.1, model=MARKUP))
    assert found["gain"]["differences"] == gain.as_dict()["differences"]
    one, good = found["id"], ids(client)["runs/toybox/good"]
    for address in ("/runs", f"/runs/{one}", f"/runs/compare?run={one}&run={good}"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "<img src=x" not in answer.text
        assert "&lt;img src=x" in answer.text
        assert " style=" not in answer.text
        assert "'unsafe-inline'" not in answer.headers["content-security-policy"]


def test_curves_are_pictures_for_light_and_dark_pages(client: httpx.Client) -> None:
    one = ids(client)["runs/toybox/good"]
    drawn = set()
    for address in ("loss", "loss?dark=true", "validation"):
        answer = client.get(f"/api/runs/{one}/curves/{address}")
        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert ElementTree.fromstring(answer.content).tag.endswith("svg")
        drawn.add(answer.content)
    assert len(drawn) == 3
    page = client.get(f"/runs/{one}").text
    assert 'alt="Loss by step: loss from 1 to 0.25"' in page
    assert 'alt="Validation by step: t2v R@1 from 20 to 40"' in page
    nothing = client.get(f"/api/runs/{ids(client)['runs/broken']}/curves/more")
    assert nothing.status_code == 422


def test_pages_of_runs_need_no_javascript(client: httpx.Client) -> None:
    runs = client.get("/api/runs").json()["items"]
    for address in ("/runs", "/runs/compare", *(f"/runs/{run['id']}" for run in runs)):
        assert "needs JavaScript" not in client.get(address).text
    for run in runs:
        follows = "does not follow the run" in client.get(f"/runs/{run['id']}").text
        assert follows is (run["state"] == "running")


def test_pages_of_runs_keep_nobody_out(client: httpx.Client) -> None:
    runs = client.get("/api/runs").json()["items"]
    ended = [run["id"] for run in runs if run["state"] == "finished"][:2]
    addresses = ["/runs", "/runs/compare?" + "&".join(f"run={one}" for one in ended)]
    addresses += [f"/runs/{run['id']}" for run in runs[:3]]
    with chromium() as browser:
        for scheme in ("light", "dark"):
            page = browser.new_page(base_url=str(client.base_url), color_scheme=scheme)
            for address in addresses:
                page.goto(address)
                assert grave_findings(page) == [], (scheme, address)


def test_a_server_without_runs_says_how_they_are_shown(tmp_path: Path) -> None:
    for runs, said in (((), "--runs DIR"), ((tmp_path,), "There are no runs yet below")):
        with running(Settings(library=tmp_path / "none", runs=runs)) as client:
            assert said in client.get("/runs").text
            assert client.get("/api/runs").json()["total"] == 0


def test_a_named_folder_that_is_none_is_refused_and_the_usual_one_may_be_absent(
    tmp_path: Path,
) -> None:
    none = tmp_path / "none"
    assert folders("--runs", None, none, "training runs") == []
    assert folders("--runs", [tmp_path], none, "training runs") == [tmp_path.resolve()]
    for switch, holding in (("--runs", "training runs"), ("--root", "videos")):
        said = re.escape(f"{switch} {none} is no folder; give one with {holding} in it")
        with pytest.raises(ConfigError, match=said):
            folders(switch, [none], tmp_path, holding)


def test_tokens_are_printed_unless_they_were_given(capsys: pytest.CaptureFixture[str]) -> None:
    ready("http://127.0.0.1:1/", (), (None, None))
    ready("http://[::]:2/", ("abc", "def"), (None, "def"))
    assert capsys.readouterr().out.splitlines() == [
        "Reeltune is at http://127.0.0.1:1/ and Ctrl-C ends it",
        "Reeltune is at http://[::]:2/ and Ctrl-C ends it",
        "token for all: abc",
        "token for reading: as REELTUNE_READ_TOKEN says",
    ]
