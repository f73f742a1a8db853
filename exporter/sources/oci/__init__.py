"""Any registry that speaks the OCI distribution API, with Harbor's own list API beside it.

`source` is where it begins. `registry` lists one registry's repositories, `repository` one
repository: its tags, the manifests that they lead to, and the configs. `client` and `credentials`
make the calls; `cache` keeps manifests and configs by digest, and `decode` reads them.
"""
