"""Where IAM tokens come from (`API.md`, Tokens), and one place that keeps the token of the moment.

`choose_source` picks the source the settings or the environment name; `Tokens` asks it for a
token when one is needed, once for all who wait.
"""
