"""What the tables of all papers share: rows, and the runs that they need."""
