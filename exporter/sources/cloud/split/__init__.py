"""Listing one registry's images fast: by scans that meet, or split by repository.

`listing` is where to begin: its docstring has the invariants, and `RegistryListing` the way of a
page. `policy` has every number, and `state` and `scan` what may follow what. `scans` begins scans
and splits a registry, `judge` decides about each page, `closing` ends the listing, and `check`,
`proof` and `unproven` say what it may rely on. `estimate`, `meeting`, `ordering` and `partition`
are the pure parts.
"""
