"""The commands, a module each: flags and help, and nothing imported that `--help` does not need."""
