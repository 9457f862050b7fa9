"""Files of other releases, turned into features and annotations of ours."""
