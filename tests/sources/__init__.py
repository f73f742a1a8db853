"""Tests of what a source may rely on, with one that is not the cloud."""
