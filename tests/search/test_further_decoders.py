"""A further decoder starts where files wait for it, and not for a few short ones."""

import time
from pathlib import Path

import pytest

from media.own_videos import write_clip
from reeltune.media.decoder import Decoder
from reeltune.media.files import find
from reeltune.media.progress import Silent
from reeltune.media.sampling import Sampling
from reeltune.search._known import Known
from reeltune.search.engines.local_readers import Ended, LocalWorker, Opened, Readers
from reeltune.types import Pixels

RED, GREEN = (200, 20, 20), (20, 200, 20)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for number in range(4):
        write_clip(folder / f"{number}.mp4", RED, GREEN, seconds=12.0 + number)
    return folder


def read(clips: Path, worth: float, pause: float) -> tuple[int, int]:
    """How many decoders were started, and how many files were read whole by a consumer that rests
    for so many s at each file."""
    decoders, ended = [], 0

    def make() -> Decoder:
        decoders.append(Decoder(Pixels(size=32), Sampling("fps", 10)))
        return decoders[-1]

    def worker() -> LocalWorker:
        one = LocalWorker(make)
        one.worth = worth
        return one

    with Readers(find(clips).files, Known(), worker, 2, Silent()) as events:
        for event in events:
            ended += isinstance(event, Ended)
            if isinstance(event, Opened):
                time.sleep(pause)
    return len(decoders), ended


def test_files_that_wait_have_a_further_decoder(clips: Path) -> None:
    """One decoder fills the queue and waits itself, so that the next file does."""
    assert read(clips, worth=0.1, pause=1.0) == (2, 4)


def test_files_that_need_not_wait_have_one_and_the_run_ends_with_it(clips: Path) -> None:
    begun = time.monotonic()
    assert read(clips, worth=600.0, pause=0.0) == (1, 4)
    assert time.monotonic() - begun < 300
