"""How one registry's images are listed: whole, from both ends, or repository by repository."""
