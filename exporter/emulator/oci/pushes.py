"""What teams push: images, and images of several platforms, each made from the seed on demand.

A push is what one build leaves in a repository: a manifest with its tags, what it refers to, and
what is attached to it. Every push depends on the seed, its repository and its number alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from random import Random
from typing import TYPE_CHECKING

import orjson

from . import odd
from .manifests import CONFIGS, LAYERS, Blob, Manifest, Reference, Row, digest_of, image, index
from .shape import Oddity

if TYPE_CHECKING:
    from .shape import Shape

BRANCH_EVERY = 20
"""One push of so many is of a branch, whose tag moves; the tags of releases never do."""
_STACKS = 24
"""Base images, whose layers are in many repositories."""
_DAY, _YEAR = 86_400, 365 * 86_400
_PLATFORMS: tuple[Row, ...] = (
    {"os": "linux", "architecture": "amd64"},
    {"os": "linux", "architecture": "arm64", "variant": "v8"},
    {"os": "linux", "architecture": "arm", "variant": "v7"},
    {"os": "linux", "architecture": "s390x"},
    {"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.2700"},
)
_CREATED = "org.opencontainers.image.created"


@dataclass(frozen=True, slots=True)
class Push:
    """The manifests of a push, those with tags and those without."""

    manifests: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True)
class _Build:
    """What the images of a push share: their chance, their key, their push, and their age."""

    random: Random
    key: str
    number: int
    age: int


class Pushes:
    """Makes the pushes of one repository.

    `count` is the number of pushes with tags, `second` how many of those have two, and `indexes`
    how many are for several platforms. Push 0 is the newest.
    """

    def __init__(self, shape: Shape, path: str, count: int, second: int, indexes: int) -> None:
        self._shape = shape
        self._path = path
        self.count = count
        self._second = second
        self._indexes = indexes
        place = Random(f"{shape.seed}|{path}")  # noqa: S311 - an estate is not a secret
        self._family = place.choice(("oci", "oci", "docker"))
        self._base = _base_layers(shape.seed, place.randrange(_STACKS), self._family)
        # No tag names these: their own tag names what was pushed later.
        self.passed = round(count * shape.untagged)

    def versions(self, number: int) -> int:
        """How many versions of a push there are by now; its tags name the last one."""
        if number % BRANCH_EVERY or number >= self.count or not self._shape.day:
            return 1
        chance = min(1.0, self._shape.moved * BRANCH_EVERY)
        days = range(1, self._shape.day + 1)
        moves = (Random(f"{self._shape.seed}|{self._path}|{number}|{day}") for day in days)  # noqa: S311
        return 1 + sum(move.random() < chance for move in moves)

    def tags(self, number: int) -> tuple[str, ...]:
        """The tags of a push."""
        if number >= self.count:
            return ()
        age = self.count - 1 - number
        if number % BRANCH_EVERY == 0:
            branch = f"branch-{number // BRANCH_EVERY}"
            second = "latest" if number == 0 else f"{branch}-latest"
            return (branch, second) if number < self._second else (branch,)
        release = f"{1 + age // 400}.{age // 20 % 20}.{age % 20}"
        return (release, f"{release}-build.{age}") if number < self._second else (release,)

    def push(self, number: int, version: int) -> Push:
        """The content of a push; only the last version has tags."""
        key = f"{self._shape.seed}|{self._path}|{number}|{version}"
        random = Random(key)  # noqa: S311 - an estate is not a secret
        tags = self.tags(number) if version == self.versions(number) - 1 else ()
        age = number * 3 * _DAY - version * _DAY + random.randrange(_DAY)
        made = odd.Maker(
            random,
            self._family,
            image=partial(self._image, _Build(random, key, number, age)),
        )
        oddity = self._oddity(random)
        if oddity is not None:
            return Push(made.push(oddity, tags))
        if number < self.count and (number * self._indexes) % max(1, self.count) < self._indexes:
            return Push(_of_platforms(made, tags, self._shape.children))
        plain = made.image("image", dict(random.choice(_PLATFORMS[:2])))
        return Push((replace(plain, tags=tags),))

    def _oddity(self, random: Random) -> Oddity | None:
        if not self._shape.oddities:
            return None
        left = random.random()
        for kind in Oddity:
            left -= self._shape.oddities.get(kind.value, 0.0)
            if left < 0:
                return kind
        return None

    def _image(
        self,
        build: _Build,
        place: str,
        platform: Row,
        *,
        created: str | None = None,
        extra: tuple[Blob, ...] = (),
    ) -> Manifest:
        """An image; `created` is the time in its config, and `extra` are layers after its own."""
        family, random = self._family, build.random
        key = f"{build.key}|{place}"
        moment = _time(self._shape.newest - build.age % (3 * _YEAR), random.randrange(1_000_000))
        draw = random.random()
        in_config: str | None = created or ("1970-01-01T00:00:00Z" if draw < 0.1 else moment)
        if draw > 0.9 and not created:
            in_config = None
        labels = {"team": self._path.partition("/")[0], "build": str(build.number)}
        stated = labels if random.random() < 0.6 else None
        content = orjson.dumps(
            {
                **platform,
                "created": in_config,
                "config": {"Env": ["PATH=/usr/local/bin:/usr/bin"], "Labels": stated},
                "history": [{"created_by": f"build {key}"}],
            }
        )
        config = Blob(digest_of(content), len(content), CONFIGS[family], content=content)
        annotations = {_CREATED: moment} if draw > 0.8 else {}
        own = tuple(
            _layer(f"{self._shape.seed}|{self._path}|{build.number // 4}|{at}", family)
            for at in range(random.randint(1, max(1, 2 * (self._shape.layers - 3))))
        )
        layers = (*self._base, *own, _layer(key, family), *extra)
        if random.random() < 0.03:
            layers = (*layers, layers[0])
        told = _with_micros(in_config) if in_config else moment if annotations else None
        facts: Row = {
            "os": platform.get("os"),
            "os_version": platform.get("os.version"),
            "architecture": platform.get("architecture"),
            "variant": platform.get("variant"),
            "labels": stated or {},
            "created_at": told,
            "created_source": "config" if in_config else "annotation" if told else None,
        }
        return image(family, config, layers, facts, annotations)


def _of_platforms(made: odd.Maker, tags: tuple[str, ...], count: int) -> tuple[Manifest, ...]:
    platforms = [dict(_PLATFORMS[place % len(_PLATFORMS)]) for place in range(count)]
    children = [made.image(str(place), each) for place, each in enumerate(platforms)]
    references = tuple(
        Reference(child, platform, "platform")
        for child, platform in zip(children, platforms, strict=True)
    )
    return (replace(index(made.family, references), tags=tags), *children)


@lru_cache(maxsize=256)
def _base_layers(seed: int, stack: int, family: str) -> tuple[Blob, ...]:
    return tuple(_layer(f"{seed}|base|{stack}|{place}", family) for place in range(3))


def _layer(key: str, family: str) -> Blob:
    """A layer; its key alone decides its digest, its size and its type."""
    digest = digest_of(key.encode())
    draw = int(digest[7:23], 16)
    types = LAYERS[family]
    size = 200 + (draw >> 8) % (1 << (10 + draw % 18))
    return Blob(digest, size, types[draw // 32 % len(types)])


def _time(second: int, micro: int) -> str:
    """RFC 3339 with six digits of a second, as the tables have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)) + f".{micro:06}Z"


def _with_micros(moment: str) -> str:
    return moment if "." in moment else moment.removesuffix("Z") + ".000000Z"
