"""The process of a command: signals, streams, logs and errors, and its files for other programs."""
