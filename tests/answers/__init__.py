"""Tests of the commands that read snapshots, and of what they compute."""
