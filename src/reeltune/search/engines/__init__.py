"""How the work on many files is spread over workers."""
