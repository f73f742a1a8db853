"""The soak: random nights of the real command; every snapshot is compared with the truth.

`chance` draws a night's world and its faults, `night` runs it, and `reader` reads the published
snapshots throughout. `python -m soaking` is the command line.
"""
