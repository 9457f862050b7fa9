"""Texts as the CLIP of OpenAI was trained to read them (Radford et al., 2103.00020).

What its release does before it splits a text into tokens: mends letters that were decoded wrongly,
straightens quotes, makes full-width letters narrow, resolves HTML twice, collapses white space and
lowers the case. Tokenizers of transformers lower the case and collapse white space alone.
"""

from html import unescape

from ftfy import fix_text


def cleaned(text: str) -> str:
    """One line in lower case; cleaning it again changes nothing."""
    return " ".join(unescape(unescape(fix_text(text))).split()).lower()
