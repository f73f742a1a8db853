"""Who calls a registry: credentials where container tools keep them, and tokens for repositories.

`find` looks for credentials in the settings, in files and in helpers. `challenges` reads what a
registry asks for, `token_service` fetches tokens, and `authenticator` gives each call its own.
"""
