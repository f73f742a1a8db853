"""The benchmark: whole processes in turn on one emulated estate, measured from outside.

`python -m benchmark` runs it; `scripts/bench` makes its environment first. `scenarios` says what
is measured, `contenders` who takes part, `rivals` are those that are not the exporter, `targets`
what has to be shown.
"""
