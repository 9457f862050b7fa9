"""Ways to get the hypergradient: one file each, with `Config.build()` giving a `Scheme`."""
