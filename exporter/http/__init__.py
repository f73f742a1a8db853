"""One HTTP client for every source: how calls are sent, limited, retried and judged.

`client` sends a `Call` and returns its `Answer`; `limiter` and `rate` decide how many are sent at
once, `retry` which are sent again, `outage` what happens while a host answers nobody. Nothing here
knows what a call is about.
"""
