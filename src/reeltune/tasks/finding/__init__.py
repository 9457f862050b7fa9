"""The task that a model is judged by, and reports from their files, whichever task they are of."""
