"""Where snapshots lie: a folder or an object store behind one interface, and its locks."""
