"""The cloud's API as it is: endpoints, credentials, one call with its limits and retries.

`Client` sends a `Call` and returns its `Answer`; `Chain` says which call of one listing comes
next. Nothing here knows of tables or files.
"""
