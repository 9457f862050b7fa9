"""Text towers in numpy, which read a query without the seconds that it takes to import torch."""
