"""Finds the task by which a model is judged, and the kind of a report in a file."""
