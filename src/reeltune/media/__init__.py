"""Videos and pictures as frames, read by a process that may do nothing else."""
