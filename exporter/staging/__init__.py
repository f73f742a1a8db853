"""The staging of a run: pages, parts and a journal in a private folder, until publication."""
