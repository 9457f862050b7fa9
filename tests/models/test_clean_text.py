"""Texts before they are split into tokens: CLIP's as OpenAI's release cleans them, SigLIP's not."""

import html
import re
from pathlib import Path

import ftfy
import pytest
import torch
from hf_folders import clip_folder, siglip_folder
from transformers import AutoTokenizer

from reeltune.models import clip
from reeltune.models._clean_text import cleaned

BY_HAND = {  # what is read of a text, written down by hand
    "A dog RUNS": "a dog runs",
    "It\u2019s a \u201cquoted\u201d word": 'it\'s a "quoted" word',
    "\u201c\u2018nested\u2019\u201d": "\"'nested'\"",
    "don\u00e2\u20ac\u2122t stop": "don't stop",
    "don\u00e2\u0080\u0099t stop": "don't stop",
    "\u00e2\u20ac\u0153hi\u00e2\u20ac\u009d": '"hi"',
    "sch\u00c3\u00b6n": "sch\u00f6n",
    "\u00c3\u00a9t\u00c3\u00a9": "\u00e9t\u00e9",
    "\u00c2\u00a310": "\u00a310",
    "Tom &amp; Jerry": "tom & jerry",
    "AT&amp;T": "at&t",
    "AT&amp;amp;T": "at&t",
    "&lt;b&gt; dog": "<b> dog",
    "&quot;a&quot;": '"a"',
    "it&#39;s": "it's",
    "it&#x27;s": "it's",
    "l&rsquo;eau": "l'eau",
    "&eacute;t&eacute;": "\u00e9t\u00e9",
    "&amp;eacute;": "\u00e9",
    "100&percnt; sure": "100% sure",
    "&copy; 2020": "\u00a9 2020",
    "<3 &amp; you": "<3 & you",
    "&nbsp;x&nbsp;y": "x y",
    "a&nbsp;&amp;nbsp;b": "a b",
    "\uff21 \uff42ig \uff24\uff2f\uff27": "a big dog",
    "\uff11\uff12\uff13\uff01": "123!",
    "\uff41\u3000\uff42": "a b",
    "\uff76\uff80\uff76\uff85": "\u30ab\u30bf\u30ab\u30ca",
    "\ufb01sh \ufb02ies": "fish flies",
    "na\u0308ive": "n\u00e4ive",
    "  two   spaces ": "two spaces",
    "a\tb\n c\r\nd": "a b c d",
    "\u00a0x\u00a0": "x",
    "\u2028line": "line",
    "\ufeffhello": "hello",
    "\u0001control": "control",
    "\x1b[31mred\x1b[0m": "red",
    "a\u2026b": "a\u2026b",
    "1\u20132\u20143": "1\u20132\u20143",
    "\u2167": "\u2177",
    "\u65e5\u672c\u8a9e \ud55c\uad6d": "\u65e5\u672c\u8a9e \ud55c\uad6d",
    "\U0001f642 dog": "\U0001f642 dog",
    "\u0391\u03a3": "\u03b1\u03c2",
    "STRASSE \u1e9e": "strasse \u00df",
    "plain words, as most are!": "plain words, as most are!",
    "": "",
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("models")
    return clip_folder(place / "clip"), siglip_folder(place / "siglip")


def slowly(text: str) -> str:
    """The steps of the release one by one."""
    mended = ftfy.fix_text(text)
    once = html.unescape(mended)
    twice = html.unescape(once).strip()
    narrow = re.sub(r"\s+", " ", twice).strip()
    return narrow.lower()


@pytest.mark.parametrize("text", BY_HAND)
def test_a_text_is_cleaned_as_the_release_does(text: str) -> None:
    assert cleaned(text) == BY_HAND[text] == slowly(text)
    assert cleaned(cleaned(text)) == cleaned(text)


def test_clip_has_the_tokens_of_cleaned_texts(folders: tuple[Path, Path]) -> None:
    plain = AutoTokenizer.from_pretrained(folders[0])
    model = clip.load(folders[0])
    for text, read in BY_HAND.items():
        assert model.tokenize([text]).ids[0].tolist() == plain(read)["input_ids"][:24], text
    odd = ["Tom &amp; Jerry don\u2019t", "tom & jerry don't"]
    with torch.inference_mode():
        one, other = (model.encode_text(model.tokenize([text])) for text in odd)
    assert torch.equal(one, other)


def test_siglip_reads_texts_by_rules_of_its_own(folders: tuple[Path, Path]) -> None:
    plain = AutoTokenizer.from_pretrained(folders[1])
    model = clip.load(folders[1])
    for text in BY_HAND:
        ids = plain(text.lower(), truncation=True, max_length=20)["input_ids"]
        assert model.tokenize([text]).ids[0].tolist()[: len(ids)] == ids
