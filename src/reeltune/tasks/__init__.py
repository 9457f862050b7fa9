"""Tasks: how a model is judged, and how two results are compared."""
