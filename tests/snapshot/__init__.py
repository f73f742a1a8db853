"""Tests of `exporter.snapshot`: publishing, and what is done with what is published."""
