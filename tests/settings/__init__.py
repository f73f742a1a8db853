"""Tests of `exporter.settings`: where settings come from, and what is refused with which words."""
