"""The soak: random nights of the real command, and every snapshot held against the truth.

`chance` draws a night's world and what goes wrong in it, `night` runs it, `reader` is one who reads
what is published all the while; `python -m soaking` is the command line.
"""
