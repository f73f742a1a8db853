"""What to ask next: the estate, the scheduler, how a long listing is split, and the ledger."""
