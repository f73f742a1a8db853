"""A made-up registry: repositories with images, indexes of two platforms, and several tags of one.

Of each 50 tags, ten name what another tag names as well, and five name an index of two images, so
there are 90 configs for 100 tags.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

OCI = "application/vnd.oci.image"
MANIFEST, INDEX = f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"
CONFIG, LAYER = f"{OCI}.config.v1+json", f"{OCI}.layer.v1.tar+gzip"
TAGS_OF_A_KIND = 50
_SECOND_TAGS, _INDEXES = 10, 5
_LAYERS = 6


@dataclass
class Repository:
    """A repository: what each tag names, its manifests and its configs, by digest."""

    name: str
    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """The media type and the body of each."""
    configs: dict[str, bytes] = field(default_factory=dict)


def repositories(count: int, tags: int, seed: int = 1) -> Iterator[Repository]:
    """Yield repositories with so many tags each, the same for the same seed."""
    for number in range(count):
        yield _repository(f"team{number % 17}/app{number:04}", tags, Random(f"{seed} {number}"))


def _repository(name: str, tags: int, random: Random) -> Repository:
    made = Repository(name)
    bases = [_layer(random) for _ in range(3)]
    named: list[str] = []
    for number in range(tags):
        kind = number % TAGS_OF_A_KIND
        if kind < TAGS_OF_A_KIND - _SECOND_TAGS:
            if kind < _INDEXES:
                digest = _index(made, random, bases)
            else:
                digest = _image(made, random, bases, "amd64")
            named.append(digest)
            made.tags[f"1.{number}.0"] = digest
        else:
            made.tags[f"build-{number}"] = named[-1 - kind % 7]
    return made


def _image(made: Repository, random: Random, bases: list[dict[str, Any]], machine: str) -> str:
    config = _json(
        {
            "created": f"2025-{random.randint(1, 12):02}-{random.randint(1, 28):02}T10:00:00Z",
            "os": "linux",
            "architecture": machine,
            "config": {
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Labels": {"org.opencontainers.image.revision": f"{random.getrandbits(160):040x}"},
            },
            "rootfs": {"type": "layers", "diff_ids": [_any(random) for _ in range(_LAYERS)]},
            "history": [{"created_by": f"RUN step {step} of {made.name}"} for step in range(12)],
        }
    )
    made.configs[digest_of(config)] = config
    layers = bases + [_layer(random) for _ in range(_LAYERS - len(bases))]
    stated = {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)}
    return _put(made, MANIFEST, {"config": stated, "layers": layers})


def _index(made: Repository, random: Random, bases: list[dict[str, Any]]) -> str:
    children = []
    for machine in ("amd64", "arm64"):
        digest = _image(made, random, bases, machine)
        stated = {"mediaType": MANIFEST, "digest": digest, "size": len(made.manifests[digest][1])}
        children.append({**stated, "platform": {"os": "linux", "architecture": machine}})
    return _put(made, INDEX, {"manifests": children})


def _put(made: Repository, media_type: str, content: dict[str, Any]) -> str:
    body = _json({"schemaVersion": 2, "mediaType": media_type, **content})
    made.manifests[digest_of(body)] = media_type, body
    return digest_of(body)


def _layer(random: Random) -> dict[str, Any]:
    return {"mediaType": LAYER, "digest": _any(random), "size": random.randint(200, 90_000_000)}


def _any(random: Random) -> str:
    return f"sha256:{random.getrandbits(256):064x}"


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=3).encode()


def digest_of(body: bytes) -> str:
    """Return the digest of content."""
    return "sha256:" + hashlib.sha256(body).hexdigest()
