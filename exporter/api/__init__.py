"""The cloud's API as it is: endpoints, credentials, one call with its limits and retries.

`Client` sends a `Call` and returns its `Answer`; `Chain` says which call of one listing comes
next. Nothing here knows of tables or files.
"""

from exporter.api.client import Client
from exporter.api.limiter import Limiter, LimiterStatistics
from exporter.api.listing import Chain
from exporter.api.silence import OutageStatistics
from exporter.api.types import Answer, Call, Counts, Sent, Service

__all__ = [
    "Answer",
    "Call",
    "Chain",
    "Client",
    "Counts",
    "Limiter",
    "LimiterStatistics",
    "OutageStatistics",
    "Sent",
    "Service",
]
