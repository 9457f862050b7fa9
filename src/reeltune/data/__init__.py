"""Datasets: one file each, which says what to download and reads the splits."""
