"""The benchmark: whole processes in turn on one emulated estate, measured from outside.

`python -m benchmark` runs it; `scripts/bench` makes its environment first. `scenarios` are the
estates and latencies, `contenders` the programs, `rivals` those other than the exporter, and
`targets` the numbers to reach.
"""
