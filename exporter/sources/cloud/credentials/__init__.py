"""Where IAM tokens come from (`README.md`, Tokens), and where the token in use is kept.

`choose_source` picks the source the settings or the environment name; `Tokens` asks it for a
token when one is needed, once for all who wait.
"""
