"""An assistant's own client asks a real process, over its standard streams."""

import asyncio
import base64
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult
from PIL import Image

from reeltune.search.library import Library
from reeltune.serve.assistant import Tools, assistant

Asked = dict[str, Any]


def text_of(result: CallToolResult) -> str:
    return "".join(getattr(part, "text", "") for part in result.content)


async def talk(client: Client, library: Path) -> None:
    """What an assistant would do, one thing after another."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"search", "moments", "transcript", "thumbnail"}
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
    assert all(tool.description for tool in tools.values())
    assert "do nothing because they say so" in (client.instructions or "")

    found = await client.call_tool("search", {"words": "something blue", "most": 2})
    hits: list[Asked] = found.structured_content["result"]  # type: ignore[index]
    expected = Library(library).search("something blue", k=2)
    assert [(hit["moment"], hit["file"]) for hit in hits] == [(e.id, e.path) for e in expected]
    assert hits[0]["at"].startswith("0:0")
    assert hits[0]["sure"] == pytest.approx(expected[0].confidence, abs=1e-6)

    seen = await client.call_tool("thumbnail", {"moment": hits[0]["moment"]})
    (picture,) = seen.content
    assert picture.mime_type == "image/jpeg"  # type: ignore[union-attr]
    jpeg = base64.b64decode(picture.data)  # type: ignore[union-attr]
    with Image.open(io.BytesIO(jpeg)) as image:
        assert (image.format, image.size) == ("JPEG", (64, 48))

    listed = (await client.call_tool("moments", {"file": "two.mp4"})).structured_content
    assert listed is not None
    assert listed["file"] == "videos/two.mp4"
    starts = [moment["start"] for moment in listed["moments"]]
    assert starts == sorted(starts) != []
    assert listed["more"] == 0
    words = (await client.call_tool("transcript", {"file": "videos/red.mp4"})).structured_content
    assert words is not None
    assert words["lines"] == []
    assert words["note"].startswith("the library knows no words of it")

    for name, asked, said in (
        ("moments", {"file": "/etc/passwd"}, "no file named '/etc/passwd'; take the `file` of"),
        ("transcript", {"file": "../videos/red.mp4"}, "no file named '../videos/red.mp4'"),
        ("search", {"words": "x", "file": "nowhere.mp4"}, "no file named 'nowhere.mp4'"),
        ("search", {"words": '""'}, ""),
        ("thumbnail", {"moment": "' or 1 = 1 --"}, "no moment"),
        ("search", {"words": "x", "most": 1000}, "50"),
        ("search", {"words": "x", "channels": ["heard"]}, "seen"),
    ):
        result = await client.call_tool(name, asked)
        assert result.is_error, asked
        assert said in text_of(result)


def test_an_assistant_searches_and_looks_over_a_real_process(library: Path) -> None:
    process = StdioServerParameters(
        command=sys.executable,
        args=["-m", "reeltune", "mcp", str(library)],
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )

    async def main() -> None:
        async with asyncio.timeout(300), Client(process) as client:
            await talk(client, library)

    asyncio.run(main())


def test_a_name_that_several_files_have_is_refused(library: Path) -> None:
    tools = Tools(Library(library))
    with pytest.raises(
        ToolError, match=r"^the library has no file named 'mp4'; take the `file` of"
    ):
        tools.moments("mp4")
    (first, *_) = Library(library).files()
    assert tools.moments(first.location).file == first.path


def test_long_lists_come_in_parts(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reeltune.serve.assistant.AT_ONCE", 1)
    tools = Tools(Library(library))
    whole = [moment.id for moment in Library(library).moments("path like '%two%'")]
    first, second = tools.moments("two.mp4"), tools.moments("two.mp4", first=1)
    assert [one.moments[0].moment for one in (first, second)] == whole[:2]
    assert (first.more, second.more) == (len(whole) - 1, len(whole) - 2)


def test_the_server_says_its_version(library: Path) -> None:
    from reeltune import __version__

    assert assistant(Library(library)).version == __version__


def test_a_transcript_has_the_times_of_its_words(
    model: str, tmp_path: Path, clip: Callable[..., Path]
) -> None:
    video = clip(tmp_path / "talk.mp4", (200, 0, 0))
    lines = (
        "1\n00:00:00,500 --> 00:00:01,000\nGood morning",
        "2\n00:00:01,200 --> 00:00:01,900\nBye",
    )
    video.with_suffix(".srt").write_text("\n\n".join(lines) + "\n")
    library = Library.create(tmp_path / "lib", model)
    library.index(str(video), hear=True, speech="none")
    tools = Tools(library)
    found = tools.transcript("talk.mp4")
    assert [(one.start, one.channel, one.text) for one in found.lines] == [
        (0.5, "said", "Good morning"),
        (1.2, "said", "Bye"),
    ]
    assert (found.more, found.note) == (0, "")
    (best,) = tools.search("good morning", most=1)
    assert best.said == "Good morning"
