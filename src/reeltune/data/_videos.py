"""Video files below a folder by name, and captions joined with the files that are there."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from reeltune.data._nearest import hint
from reeltune.errors import DataError, counted, in_short
from reeltune.media.names import SUFFIXES, stem
from reeltune.types import Caption, LeftOut, Pair, Split, collect_left_out

Captions = Literal["single", "multiple", "paragraph"]
AGAIN = "passed over, as another file of the video is read"


@dataclass(frozen=True)
class Videos:
    """The folder that was searched for videos, and their files by name without suffix."""

    folder: Path
    paths: dict[str, Path]
    dataset: str
    others: tuple[tuple[str, Path], ...] = ()  # further files of a name, which are not taken

    def renamed(self, aliases: Mapping[str, str]) -> "Videos":
        """These files, with every alias replaced by the name that the annotations use; of several
        that are then called alike the first is taken."""
        named = [(aliases.get(name, name), path) for name, path in self.paths.items()]
        others = [(aliases.get(name, name), path) for name, path in self.others]
        return _videos(self.folder, named, self.dataset, others)

    def split(
        self,
        captions: Sequence[Caption],
        named: Collection[str],
        policy: Captions,
        end: float | None = None,
    ) -> Split:
        """Pairs for the captions whose videos exist; each video is shown up to `end` seconds.

        `named` are the videos of all splits. Raises DataError if no video of this split exists.
        """
        if policy == "single":
            self._require_one_each(captions)
        left = self.left_out((caption.video for caption in captions), named)
        pairs = tuple(
            Pair(video=video, path=self.paths[video], caption=text, end=end)
            for video, text in captions
            if video in self.paths
        )
        return Split(pairs=pairs, captions=policy, left_out=left)

    def asked(self, pairs: Sequence[Pair], named: Collection[str]) -> Split:
        """The questions whose videos exist, with their files, and whose answer is known.

        `named` are the videos of all splits. Raises DataError if no video of this split exists.
        """
        return self._known(pairs, named, "multiple", ("question", "without an answer"))

    def classified(self, pairs: Sequence[Pair], named: Collection[str]) -> Split:
        """The videos that exist, with their files, and whose class is known: it is the answer.

        `named` are the videos of all splits. Raises DataError if no video of this split exists, or
        if one is listed twice.
        """
        self._require_one_each([Caption(pair.video, pair.caption) for pair in pairs])
        return self._known(pairs, named, "single", ("video", "without a class"))

    def _known(
        self,
        pairs: Sequence[Pair],
        named: Collection[str],
        policy: Captions,
        unknown: tuple[str, str],
    ) -> Split:
        what, reason = unknown
        left = self.left_out((pair.video for pair in pairs), named)
        kept = tuple(
            replace(pair, path=self.paths[pair.video])
            for pair in pairs
            if pair.video in self.paths and pair.answer is not None
        )
        if not kept:
            raise DataError(
                f"every {what} of this split of {self.dataset} that is there is {reason}; take the "
                f"file as it was published (`reeltune datasets {self.dataset}` names it)"
            )
        gone = [p for p in pairs if p.video in self.paths and p.answer is None]
        names = (f"{p.video}: {p.caption}" if p.caption else p.video for p in gone)
        left += collect_left_out(what, ((name, reason) for name in names))
        return Split(pairs=kept, captions=policy, left_out=left)

    def _require_one_each(self, captions: Sequence[Caption]) -> None:
        counts = Counter(caption.video for caption in captions)
        several, count = counts.most_common(1)[0] if counts else ("", 0)
        if count > 1:
            first, second, *_ = (text for video, text in captions if video == several)
            raise DataError(
                f"{several} has {count} captions in this split of {self.dataset}, {first!r:.40} "
                f"and {second!r:.40} among them, and each video has one here; keep one of them in "
                "the file of captions, or take that file as it was published "
                f"(`reeltune datasets {self.dataset}` names it and its page)"
            )

    def left_out(self, wanted: Iterable[str], named: Collection[str]) -> tuple[LeftOut, ...]:
        """Videos of a split that are absent, and files that no split names.

        `named` are the videos of all splits. Raises DataError if none that is wanted is there.
        """
        videos = list(dict.fromkeys(wanted))
        unnamed = self.paths.keys() - set(named)
        absent = [video for video in videos if video not in self.paths]
        if not videos:
            raise DataError(
                f"the lists of {self.dataset} name no video of this split; take them as they were "
                f"published (`reeltune datasets {self.dataset}` names their page)"
            )
        if len(absent) == len(videos):
            raise DataError(self._none_of(videos, unnamed))
        return (*left_out(absent, unnamed, self.folder), *self._note_others(videos))

    def _note_others(self, wanted: Collection[str]) -> tuple[LeftOut, ...]:
        """The note about files that are called as a wanted video, of which another file is read."""
        asked = set(wanted)
        told = (
            (f"{_below(self.folder, path)} (not {_below(self.folder, self.paths[name])})", AGAIN)
            for name, path in self.others
            if name in asked
        )
        return collect_left_out("file", told, missing=False)

    def _none_of(self, wanted: list[str], unnamed: Collection[str]) -> str:
        return (
            f"{self.folder} and the folders in it hold none of the {counted(len(wanted), 'video')} "
            f"of this split (looked for {', '.join(wanted[:3])} with any of {len(SUFFIXES)} "
            f"suffixes such as .mp4, .avi, .webm{hint(wanted, sorted(unnamed))}); `reeltune "
            f"datasets {self.dataset}` says where to get them and where to put them"
        )


def list_videos(folder: Path, names: Sequence[str], dataset: str) -> Videos:
    """Videos in the first of the subfolders `names` that is there, or else in `folder` itself.

    Files one level further down count too. Of two files with one name the upper, then the first
    by path, is taken, and the other is named. The folder is listed once and no file is opened.
    """
    places = [folder / name for name in names]
    place = next((place for place in places if place.is_dir()), folder)
    return _videos(place, ((stem(path.name), path) for path in _files(place)), dataset)


def _videos(
    folder: Path,
    named: Iterable[tuple[str, Path]],
    dataset: str,
    others: Iterable[tuple[str, Path]] = (),
) -> Videos:
    """Files by name, the first of each; those that follow are beside the `others`."""
    paths: dict[str, Path] = {}
    further = [(name, path) for name, path in named if paths.setdefault(name, path) != path]
    return Videos(folder, paths, dataset, (*others, *further))


def _below(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def is_video(name: str) -> bool:
    """Whether a file is named as a video; DiDeMo has some whose name ends in a bare dot."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in SUFFIXES or suffix == "."


def left_out(absent: Iterable[str], unnamed: Iterable[str], place: Path) -> tuple[LeftOut, ...]:
    """Videos that annotations name and `place` lacks, and videos there that no annotation names."""
    gone, idle = dict.fromkeys(absent), sorted(unnamed)
    where = f"not in the folder {place.name}{hint(gone, idle)}"
    found = collect_left_out("video", ((name, where) for name in gone))
    unasked = ((name, "named by no annotation") for name in idle)
    return found + collect_left_out("video", unasked, missing=False)


def one_caption_each(captions: Sequence[Caption]) -> Captions:
    """The policy that fits: "single" unless a video has several captions."""
    several = len({caption.video for caption in captions}) < len(captions)
    return "multiple" if several else "single"


def paragraphs(captions: Sequence[Caption]) -> list[Caption]:
    """The captions of each video joined into one, with captions and videos in their order."""
    texts: dict[str, list[str]] = {}
    for video, text in captions:
        texts.setdefault(video, []).append(text)
    return [Caption(video, " ".join(parts)) for video, parts in texts.items()]


def write_empty(folder: Path, names: Sequence[str]) -> None:
    """Empty files that stand for videos, where only names matter."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def _files(folder: Path) -> Iterator[Path]:
    """Video files in `folder`, then those in its subfolders, by name; hidden files are skipped."""
    below = []
    for entry in _entries(folder):
        if entry.is_dir():
            below.append(entry)
        elif is_video(entry.name):
            yield Path(entry.path)
    for place in below:
        yield from (Path(entry.path) for entry in _entries(place.path) if is_video(entry.name))


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(
            f"{folder} cannot be listed ({in_short(error)}); give a folder you can read"
        ) from None
    return sorted(shown, key=lambda entry: entry.name)
