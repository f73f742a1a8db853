"""`python -m exporter`: the same as the command `registry-exporter`."""

from exporter.cli.app import main

if __name__ == "__main__":
    main()
