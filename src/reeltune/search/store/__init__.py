"""A library on disk: a table of moments, a manifest and a lock."""
