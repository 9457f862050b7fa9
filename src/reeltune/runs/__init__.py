"""Whole runs: train a recipe, evaluate a checkpoint, tune, prune, make features."""
