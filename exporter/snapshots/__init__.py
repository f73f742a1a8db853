"""Published snapshots: manifest, catalog, publication, retention, reading, verification."""
