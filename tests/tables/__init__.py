"""Tests of `exporter.tables`: pages become the rows they say; nothing else becomes a page."""
