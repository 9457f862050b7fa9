"""Messages that the worker may send, field by field; one that a file took over is not believed."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from reeltune.media._wire import WireError, cut
from reeltune.media.limits import CUE_LIMIT, LATEST, PIECE

THUMBNAIL_LIMIT = 1 << 18  # bytes
LONGEST_SIDE = 1 << 18  # pixels


def line(text: str) -> str:
    """One printable line of bounded length."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:300]


Line = Annotated[str, AfterValidator(line)]
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Side = Annotated[int, Field(ge=1, le=LONGEST_SIDE)]
Parts = Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=2)]


class Answer(BaseModel):
    """Any message; it has all of its fields with the right types, and no others."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    parts: Parts  # bytes of each part that follows


class Hello(Answer):
    """The worker has started; says what it gave up, measure by measure."""

    kind: Literal["hello"]
    sandbox: dict[Line, bool]


class Info(Answer):
    """The first frame could be decoded."""

    kind: Literal["info"]
    duration: Seconds
    width: Side
    height: Side
    frame_rate: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
    codec: Line
    container: Line
    taken: Annotated[int, Field(gt=0, le=LATEST)] | None


class Picture(Answer):
    """A frame: two parts follow, the square and the thumbnail."""

    kind: Literal["frame"]
    time: Seconds
    width: Side
    height: Side


class WholePicture(Answer):
    """A frame that was not made a square: one part follows, its colours row by row."""

    kind: Literal["whole"]
    time: Seconds
    width: Side
    height: Side


class Hearing(Answer):
    """Sound could be found; without a codec there is none."""

    kind: Literal["hearing"]
    duration: Seconds
    codec: Line


class Samples(Answer):
    """A piece of sound, whose samples follow; it may begin before the pictures do."""

    kind: Literal["samples"]
    time: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]


class Subtitled(Answer):
    """Subtitles could be found; without a codec there are none."""

    kind: Literal["subtitled"]
    duration: Seconds
    codec: Line
    language: Line


class Cue(Answer):
    """One subtitle, whose text follows; it ends as it begins where the file does not say."""

    kind: Literal["cue"]
    start: Seconds
    end: Seconds


class Clipped(Answer):
    """A clip is cut out of a video, and begins at `start` of it."""

    kind: Literal["clipped"]
    duration: Seconds
    start: Seconds


class Written(Answer):
    """Bytes of a clip, which follow, and where in its file they stand."""

    kind: Literal["written"]
    at: Annotated[int, Field(ge=0)]


class Alive(Answer):
    """The worker decodes, but has no frame yet."""

    kind: Literal["alive"]


class End(Answer):
    """No more frames; `note` says what was wrong, if anything; the last frame goes at `until`."""

    kind: Literal["end"]
    note: Line
    until: Seconds


class Refusal(Answer):
    """The file cannot or must not be read."""

    kind: Literal["refused"]
    reason: Line


Said = (
    Hello
    | Info
    | Picture
    | WholePicture
    | Hearing
    | Samples
    | Subtitled
    | Cue
    | Clipped
    | Written
    | Alive
    | End
    | Refusal
)
ADAPTER: TypeAdapter[Said] = TypeAdapter(Annotated[Said, Field(discriminator="kind")])


def understand(header: bytes, body: bytes) -> tuple[Any, list[bytes]]:
    """A message and its parts; raises WireError if anything about it is unexpected."""
    try:
        said = ADAPTER.validate_json(header)
    except ValidationError as error:
        raise WireError(f"a message is malformed in {error.error_count()} places") from error
    if isinstance(said, Picture) and (len(said.parts) != 2 or said.parts[1] > THUMBNAIL_LIMIT):
        raise WireError("a frame is malformed")
    if isinstance(said, WholePicture) and said.parts != [3 * said.width * said.height]:
        raise WireError("a frame is malformed")
    if isinstance(said, Samples) and (len(said.parts) != 1 or not _is_piece(said.parts[0])):
        raise WireError("a piece of sound is malformed")
    if isinstance(said, Written) and len(said.parts) != 1:
        raise WireError("a part of a clip is malformed")
    if isinstance(said, Cue) and (len(said.parts) != 1 or said.parts[0] > CUE_LIMIT):
        raise WireError("a subtitle is malformed")
    return said, cut(body, said.parts)


def _is_piece(length: int) -> bool:
    """Whether so many bytes are a few samples of 16 bits."""
    return length % 2 == 0 and 0 < length <= 2 * PIECE
