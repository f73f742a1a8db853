"""Tests of the staging folder: what is kept, what is recalled, and what any end leaves behind."""
