"""What a run has so far: pages, parts and a journal in a private folder, until publication."""
