"""scripts/torch_build.py takes a CPU build where there is no GPU, and does not wait for it long."""

import platform
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import torch_build
from torch_build import TORCH, choose_torch, has_cpu_build, has_nvidia_gpu

TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
VERSION = TORCH.partition("==")[2]
WHEEL = f"{VERSION}%2Bcpu-{TAG}-{TAG}-manylinux_2_28_{platform.machine()}.whl"
PAGE = f'<a href="/whl/cpu/torch-{WHEEL}#sha256=0">torch-{WHEEL}</a>'


@pytest.fixture
def index() -> Iterator[str]:
    """Address of an index that lists one wheel of torch."""

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/torch/" else 404)
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def log_message(self, *said: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_index_offers_the_versions_that_it_lists(index: str) -> None:
    assert has_cpu_build(index, TORCH)
    assert has_cpu_build(index, "torch")
    assert not has_cpu_build(index, "torch==2.99.0")
    assert not has_cpu_build(f"{index}/none", TORCH)  # 404


def test_a_wheel_for_another_python_is_none(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    assert not has_cpu_build(index, TORCH)


def test_an_index_that_is_not_there_or_never_answers_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"http://127.0.0.1:{mute.getsockname()[1]}"
        began = time.monotonic()
        assert not has_cpu_build(address, TORCH, patience=0.2)
        assert time.monotonic() - began < 5
    assert not has_cpu_build(address, TORCH)
    assert not has_cpu_build("http://no-such-host.invalid", TORCH, patience=2)


def without_gpu(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(torch_build, "Path", lambda text: folder / "gpus")
    monkeypatch.setenv("PATH", str(folder))


def test_without_a_gpu_the_cpu_index_is_taken_where_it_answers(
    index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_gpu(monkeypatch, tmp_path)
    monkeypatch.setattr(torch_build, "CPU_INDEX", index)
    says, arguments = choose_torch(TORCH, None)
    assert arguments == [TORCH, "--index-url", index]
    assert says == f"{TORCH} for CPUs (no NVIDIA GPU is found), from PyTorch's index"


def test_without_a_gpu_and_without_that_index_the_configured_one_is_taken_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_gpu(monkeypatch, tmp_path)
    monkeypatch.setattr(torch_build, "CPU_INDEX", "http://127.0.0.1:9")
    says, arguments = choose_torch(TORCH, None)
    assert arguments == [TORCH]
    assert "from the configured index: no NVIDIA GPU is found, and PyTorch's CPU index" in says


def test_with_a_gpu_and_on_other_systems_the_configured_index_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_gpu(monkeypatch, tmp_path)
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho GPU 0: one\n")
    program.chmod(0o755)
    assert has_nvidia_gpu()
    assert choose_torch(TORCH, None)[1] == [TORCH]
    assert "for the NVIDIA GPU" in choose_torch(TORCH, None)[0]
    program.write_text("#!/bin/sh\necho no driver\nexit 9\n")
    assert not has_nvidia_gpu()
    program.unlink()
    (tmp_path / "gpus" / "0000:01:00.0").mkdir(parents=True)  # as the driver lists one
    assert has_nvidia_gpu()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert choose_torch(TORCH, None) == (f"{TORCH}, from the configured index", [TORCH])


def test_what_the_user_asks_for_is_taken_as_it_is() -> None:
    asked = "torch==2.14.1 --index-url http://mirror.example/simple"
    says, arguments = choose_torch(TORCH, asked)
    assert arguments == ["torch==2.14.1", "--index-url", "http://mirror.example/simple"]
    assert says == f"{asked}, as TORCH asks"
