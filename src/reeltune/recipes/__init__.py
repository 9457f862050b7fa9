"""Recipes: a benchmark and a method, read from YAML and checked."""
