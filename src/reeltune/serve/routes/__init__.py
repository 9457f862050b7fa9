"""What the API answers, a group of addresses a file."""
