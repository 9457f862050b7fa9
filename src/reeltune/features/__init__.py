"""Stored frame features: written once, read in place of the videos."""
