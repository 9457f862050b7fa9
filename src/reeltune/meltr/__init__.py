"""MELTR: a small network learns how to melt many losses into one (Ko et al., CVPR 2023)."""
