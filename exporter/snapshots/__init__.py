"""What is published: manifest, catalog, publication, retention, reading, verification."""
