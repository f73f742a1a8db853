"""What to ask next: the estate, the scheduler, how a long listing is split, and the ledger."""

from exporter.crawl.decoders import Decoders
from exporter.crawl.estate import Estate
from exporter.crawl.fetch import Fetcher
from exporter.crawl.ledger import Entry, Ledger
from exporter.crawl.plan import Plan, look_ahead
from exporter.crawl.progress import Progress, Statistics

__all__ = [
    "Decoders",
    "Entry",
    "Estate",
    "Fetcher",
    "Ledger",
    "Plan",
    "Progress",
    "Statistics",
    "look_ahead",
]
