"""The page and the HTTP API of a library, and the client of that API."""
