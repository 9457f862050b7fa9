"""Batches of clips and captions, in an order that a seed decides."""
