"""Answers from published snapshots: what differs, what changed over time, what can be freed.

Everything here reads through `snapshots/reader.py` alone, and writes nothing into an output.
"""
