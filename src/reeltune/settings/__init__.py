"""Says in one sentence what is wrong with settings."""
