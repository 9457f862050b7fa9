"""What the splits of all datasets share: their names, published sizes, and splits by place."""
