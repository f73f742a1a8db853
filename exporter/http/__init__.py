"""One HTTP client for every source: how calls are sent, limited, retried and judged.

`client` sends a `Call` and returns its `Answer`. `limiter`, `level` and `rate` decide how many are
sent at once and how fast, `retry` which are sent again, `outage` what happens while a host answers
no call. This package does not know what a call is about.
"""
