"""The real command against the emulator, and what it leaves behind against the oracle's truth."""
