"""A small channel of words for tests: it reads plain lines that lie beside a video."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from reeltune.errors import MediaError
from reeltune.media.progress import Progress, Silent
from reeltune.search._known import Known
from reeltune.search.channels.channel import Told, Words
from reeltune.search.engines.local import Meter
from reeltune.search.report import Report
from reeltune.search.store import texts as _texts
from reeltune.search.store.changes import begin
from reeltune.search.store.lock import sole_writer
from reeltune.search.tell_files import tell_files
from reeltune.types import Phrase


@dataclass
class Beside:
    """Tells the lines of `NAME.CHANNEL.txt` beside NAME.mp4: two seconds each."""

    channel: Words = "said"
    fingerprint: str = "f1"
    name: str = "lines beside"
    stops_at: str = ""  # the name of a file at which Ctrl-C comes
    breaks_at: str = ""  # the name of one that cannot be told
    asked: list[str] = field(default_factory=list)
    is_closed: bool = False

    def beside(self, path: Path) -> str:
        return ""

    def tell(self, path: Path, done: Callable[[float], None]) -> Told:
        done(0.5)
        if path.name == self.stops_at:
            raise KeyboardInterrupt
        if path.name == self.breaks_at:
            raise MediaError(str(path), "its sound cannot be decoded")
        self.asked.append(path.name)
        lines = path.with_suffix(f".{self.channel}.txt")
        texts = lines.read_text().splitlines() if lines.is_file() else []
        phrases = [
            Phrase(start=2.0 * place, end=2.0 * place + 2, text=text)
            for place, text in enumerate(texts)
        ]
        return Told(phrases=phrases, source="sidecar" if texts else "", language="en")

    def close(self) -> None:
        self.is_closed = True


def run(home: Path, *tellers: Beside, progress: Progress | None = None) -> Report:
    """What a run of indexing does once pictures are in, and nothing of these has changed."""
    report = Report(str(home))
    with sole_writer(home):
        _texts.seal(home)
        begin(home, "index")
        files = sorted(Known.read(home).by_video.values(), key=lambda one: one.path)
        tell_files(home, files, tellers, Meter(progress or Silent()), report)
        _texts.sweep(home)
    return report


def stored(home: Path) -> list[tuple[str, str, str]]:
    """File, channel and text of every row of the texts, of those without a text too."""
    table = _texts.open_texts(home)
    if table is None:
        return []
    names = {video: Path(one.path).stem for video, one in Known.read(home).by_video.items()}
    rows = table.to_table(columns=["video", "channel", "part", "text"]).to_pylist()
    rows.sort(key=lambda row: (names.get(row["video"], "?"), row["channel"], row["part"]))
    return [(names.get(row["video"], "?"), row["channel"], row["text"]) for row in rows]
