"""Toybox: a small world of shapes that move, as videos with captions, questions and more."""
