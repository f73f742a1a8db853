"""Where rows land: staging, parts, manifest, publishing, lock, retention and verification.

Knows no HTTP and no settings: what it needs is handed in as plain values. Verification
(`verify`, `verify_rows`) is imported where it is used, for an export has no need of it.
"""
