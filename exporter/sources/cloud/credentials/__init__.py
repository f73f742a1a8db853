"""The sources of IAM tokens (`README.md`, Tokens), and the current token.

`choose_source` chooses the source by the settings or the environment. `Tokens` asks it for a token
if one is needed, once for all waiting calls.
"""
