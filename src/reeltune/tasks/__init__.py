"""Tasks: each file is one way of judging a model, found by its being here."""
