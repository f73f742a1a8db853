"""Tests of the public API, as a program, a notebook and a workflow use it."""
