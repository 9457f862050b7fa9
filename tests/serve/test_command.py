"""The command `reeltune serve`, where it does not come to serving."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.serve.run import bound


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--root", "none"], "--root none is no folder; give one with videos in it"),
        (["--host", "nowhere.invalid"], "--host nowhere.invalid is no address here"),
        (["--token"], "REELTUNE_TOKEN has 5 characters; give it 32 or more"),
    ],
)
def test_what_cannot_be_served_is_said(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "--token" in options:
        monkeypatch.setenv("REELTUNE_TOKEN", "short")
    done = CliRunner().invoke(app, ["serve", "--port", "0", *options])
    assert done.exit_code == 1
    assert said in done.output


THREADS = """
import contextlib
from reeltune.cli.app import app
with contextlib.suppress(SystemExit):
    app(["serve", "--root", "none"])
from threadpoolctl import threadpool_info
print(*(one["num_threads"] for one in threadpool_info() if one["internal_api"] == "openblas"))
"""


@pytest.mark.parametrize(
    ("given", "threads"),
    [
        ({}, max((os.cpu_count() or 1) // 4, 1)),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OPENBLAS_NUM_THREADS": "2"}, 2),
    ],
)
def test_numpy_multiplies_in_few_threads(
    given: dict[str, str], threads: int, tmp_path: Path
) -> None:
    """Which is settled before numpy is imported. OpenBLAS begins no more threads than cores."""
    plain = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", THREADS],
        env=plain | given,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {*done.stdout.split()} == {str(min(threads, os.cpu_count() or 1))}


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(app, ["serve", "--port", port])
    assert done.exit_code == 1
    assert f"nothing can listen at 127.0.0.1:{port}" in done.output
    assert "give another --port" in done.output


def test_small_answers_are_sent_at_once() -> None:
    """Without TCP_NODELAY the body of an answer waits 40 ms for the receipt of its head."""

    async def has_no_delay(taken: socket.socket) -> int:
        accepted = asyncio.get_running_loop().create_future()

        class Answering(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                accepted.set_result(transport.get_extra_info("socket"))

        async with await asyncio.get_running_loop().create_server(Answering, sock=taken):
            with socket.create_connection(taken.getsockname()):
                one = await accepted
                return int(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    assert asyncio.run(has_no_delay(bound("127.0.0.1", 0)))
