"""Several processes that compute one batch together, and what they tell each other."""
