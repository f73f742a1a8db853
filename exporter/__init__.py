"""registry-exporter: a complete inventory of a Container Registry, published as a snapshot."""
