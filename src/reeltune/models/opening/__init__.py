"""Any model by its name: a component, a folder or a hub id."""
