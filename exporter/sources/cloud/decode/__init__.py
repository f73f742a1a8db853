"""Pages of the list API turned into rows of the tables."""
