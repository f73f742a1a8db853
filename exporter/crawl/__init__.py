"""The engine of a crawl: slots, pages, memory, and what is covered. It knows no vendor."""
