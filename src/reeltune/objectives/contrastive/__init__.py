"""Losses of one space of texts and videos, a file each: `Config.build()` gives an `Objective`.

A model of the CLIP family finds them by name, `config.objective`.
"""
