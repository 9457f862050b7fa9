"""The tables of papers: rows, the runs that they need, and the pages that they fill."""
