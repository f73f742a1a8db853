"""Where images are listed from: one package for each kind of registry."""
