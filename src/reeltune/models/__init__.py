"""Models: one file each, with a `Config` that builds it."""
