"""Ways to compute the hypergradient: one file each, whose `Config.build()` returns a `Scheme`."""
