"""Tests of loads into warehouses."""
