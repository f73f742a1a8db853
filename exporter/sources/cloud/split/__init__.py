"""How one registry is listed fast: by scans that meet, or repository by repository.

Begin with `listing`: `RegistryListing` has the way of a page, and the docstring says which module
keeps which invariant. `policy` has every number. `state` and `scan` say which state may follow
which. `splitting` decides when it is worth splitting a registry, and `scans` does it. `prefetch`
asks for pages, `judge` decides about each page that comes and `failures` about those that do not,
and `closing` ends the listing. `check`, `proof` and `unproven` decide what the listing may rely on,
and `known` has the images that a split does not keep again. `estimate`, `meeting`, `ordering` and
`partition` are pure functions.
"""
