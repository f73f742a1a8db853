"""Tests of registries that speak the OCI distribution API, most of them against the real server."""
