"""Losses: pure functions from tensors to one number."""
