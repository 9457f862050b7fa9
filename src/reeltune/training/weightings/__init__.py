"""Ways to weigh the losses of a model: one file each, whose `Config.build(tasks)` returns a
`Weighting`."""
