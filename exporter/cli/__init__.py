"""The command line: it parses the arguments, calls the library, and shows the result.

`app` has the program's `main`. Each command is one module of its own name, with its
flags, its run and what it prints; `groups` imports that module when the command is called, so
that `--help` answers at once. `options` are the flags that several commands share. `terminal/` is
the output for a person; `process/` has signals, streams, logs, errors and files for programs.
"""
