"""Commands: each file adds those of its `app`; being there is being a command."""
