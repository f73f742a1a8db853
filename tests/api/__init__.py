"""Tests of the API client: against servers scripted on the spot, and on virtual time."""
