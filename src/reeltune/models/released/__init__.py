"""Files of other releases, turned into models of ours."""
