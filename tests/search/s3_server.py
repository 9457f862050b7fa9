"""An S3 server on the loopback interface, and the variables by which programs find it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest


@contextmanager
def s3_server() -> Iterator[str]:
    """A server with an empty bucket, whose URL it gives; skips the test where moto is absent."""
    pytest.importorskip("flask", reason="the S3 server of moto needs flask")
    pytest.importorskip("obstore", reason="object stores need obstore")
    server = pytest.importorskip("moto.server", reason="no S3 server: moto is absent")
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ALLOW_HTTP": "true",
        }.items():
            patch.setenv(name, value)
        connection = HTTPConnection(host, port)
        connection.request("PUT", "/films")
        assert connection.getresponse().status == 200
        connection.close()
        yield "s3://films"
    running.stop()


def upload(path: Path, url: str) -> None:
    """Put a file into a bucket."""
    from reeltune.storage.object_path import ObjectPath

    ObjectPath.of(url).write(path.read_bytes())
