"""The benchmark of OCI registries: docker-registry and the emulator, beside other clients.

`estate` makes up what is listed, `filled` writes it where docker-registry keeps its content, `real`
runs that registry, and `emulated` the emulator. `contenders` are the programs, `scenarios` what is
measured with them, and `figures` what must hold.
"""
