"""How one registry is listed fast: by scans that meet, or repository by repository.

Begin with `listing`: its docstring has the invariants, and `RegistryListing` the way of a page.
`policy` has every number. `state` and `scan` say which state may follow which. `scans` begins scans
and splits a registry, `judge` decides about each page, and `closing` ends the listing. `check`,
`proof` and `unproven` decide what the listing may rely on, and `known` has the images that a split
does not keep again. `estimate`, `meeting`, `ordering` and `partition` are pure functions.
"""
