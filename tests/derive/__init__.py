"""Tests of what follows from the rows, held against a calculation in plain Python."""
