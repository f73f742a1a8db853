"""skopeo as its users call it for an inventory: `list-tags`, then `inspect` for each tag.

`python -m benchmark.oci.skopeo HOST [--raw]`; the repositories come from the registry's list, which
skopeo does not read. With `--raw` only the manifest of each tag is read.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request


def main() -> None:
    """Run skopeo for each repository and tag, and print what it finds."""
    host, *raw = sys.argv[1:]
    with urllib.request.urlopen(f"http://{host}/v2/_catalog?n=1000", timeout=60) as answer:
        repositories = json.load(answer)["repositories"]
    for repository in repositories:
        place = f"docker://{host}/{repository}"
        for tag in json.loads(_skopeo("list-tags", place))["Tags"]:
            sys.stdout.write(_skopeo("inspect", *raw, f"{place}:{tag}"))


def _skopeo(*arguments: str) -> str:
    command = ["skopeo", *arguments, "--tls-verify=false"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
