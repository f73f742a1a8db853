"""Tests of `exporter.crawl`: that every image is listed once, by few calls and many slots."""
