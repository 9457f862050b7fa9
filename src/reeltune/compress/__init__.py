"""Smaller models: pruning, packed files, and a report of what was taken out."""
