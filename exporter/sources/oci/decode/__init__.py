"""What a registry's content says: pure functions from bytes to typed values.

`manifest` reads manifests and indexes of every form, `schema1` the old one, and `config` the
configs of images. `media_types` has the types that are known, `platforms` what a platform is,
`tags` what a tag is, and `fields` the guards that all of them read with.
"""
