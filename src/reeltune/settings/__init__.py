"""What is wrong with settings, said in one sentence."""
