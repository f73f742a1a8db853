"""Tests of the emulator: that it is the cloud it says it is, and fails the way it is told to."""
