"""The engine of a crawl: slots, pages, memory, and coverage. It knows no vendor."""
