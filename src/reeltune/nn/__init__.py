"""Layers and tensor operations that several parts share."""
