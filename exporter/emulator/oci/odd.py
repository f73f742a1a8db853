"""Pushes of odd kinds: artifacts, attestations, indexes of every form, and signatures.

All of them are valid, or have been seen in registries; a reader must cope with each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import orjson

from .manifests import (
    CONFIGS,
    EMPTY,
    EMPTY_DIGEST,
    FOREIGN,
    OCI,
    SCHEMA1,
    Blob,
    Manifest,
    Reference,
    Row,
    digest_of,
    image,
    index,
    manifest,
)
from .shape import Oddity

if TYPE_CHECKING:
    from random import Random

_AMD: Row = {"os": "linux", "architecture": "amd64"}
_ARM: Row = {"os": "linux", "architecture": "arm64", "variant": "v8"}
_UNKNOWN: Row = {"os": "unknown", "architecture": "unknown"}
_NOTHING = Blob(EMPTY_DIGEST, 2, EMPTY, content=b"{}")
_EMPTY_LAYER = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"
_SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
_IN_TOTO = "application/vnd.in-toto+json"


class MakeImage(Protocol):
    """Makes an image; `key` tells apart those of one push."""

    def __call__(
        self,
        key: str,
        platform: Row,
        *,
        created: str | None = None,
        extra: tuple[Blob, ...] = (),
    ) -> Manifest:
        """The image of a platform; see `pushes`."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes one push.

    Attributes:
        random: What is left to chance.
        family: `oci` or `docker`, whose media types it uses.
        image: Makes an image.

    """

    random: Random
    family: str
    image: MakeImage

    def push(self, kind: Oddity, tags: tuple[str, ...]) -> tuple[Manifest, ...]:
        """The manifests of a push of a kind; the first one has the tags."""
        first, *others = self._make(kind)
        return (replace(first, tags=tags), *others)

    def _make(self, kind: Oddity) -> tuple[Manifest, ...]:
        if kind in (Oddity.REFERRERS, Oddity.SIGNATURE, Oddity.ACCESSORY):
            return self._attached(kind)
        alone = self._alone(kind)
        return self._index(kind) if alone is None else (alone,)

    def _alone(self, kind: Oddity) -> Manifest | None:
        """The manifest of a kind that is one alone."""
        match kind:
            case Oddity.ARTIFACT:
                return self._artifact()
            case Oddity.DANGLING:
                gone = "sha256:" + self._salt() * 2
                return self._artifact({"subject": _descriptor(gone, 400)})
            case Oddity.FOREIGN:
                foreign = self._blob(FOREIGN[self.family], ("https://example.com/base",))
                return self.image("foreign", _AMD, extra=(foreign,))
            case Oddity.ODD_TIME:
                early = self.image("early", _AMD, created="0001-01-01T00:00:00Z")
                return replace(early, findings=(("implausible_time", ""),))
            case Oddity.SCHEMA1:
                return self._schema1()
        return None

    def _index(self, kind: Oddity) -> tuple[Manifest, ...]:
        first, second = self.image("first", _AMD), self.image("second", _ARM)
        pair = (Reference(first, _AMD, "platform"), Reference(second, _ARM, "platform"))
        match kind:
            case Oddity.ATTESTED:
                attestation = self._attestation()
                notes = {
                    "vnd.docker.reference.type": "attestation-manifest",
                    "vnd.docker.reference.digest": first.digest,
                }
                attested = Reference(attestation, _UNKNOWN, "attestation", notes)
                return index("oci", (*pair, attested)), first, second, attestation
            case Oddity.NESTED:
                inner = index(self.family, pair)
                outer = index(self.family, (Reference(inner, None, "nested"), pair[0]))
                return outer, inner, first, second
            case Oddity.MISSING_CHILD:
                broken = (pair[0], replace(pair[1], present=False))
                found = (("missing_child", second.digest),)
                return replace(index(self.family, broken), findings=found), first
            case Oddity.ODD_CHILD:
                odd = replace(
                    self._artifact({"mediaType": "application/vnd.example.thing.v1+json"}),
                    media_type="application/vnd.example.thing.v1+json",
                    findings=(("unknown_media_type", ""),),
                )
                return index(self.family, (pair[0], Reference(odd, None, "other"))), first, odd
            case Oddity.NO_MEDIA_TYPE:
                return index("oci", pair, with_type=False), first, second
        # Its annotation tells it from other empty indexes.
        empty = index("oci", (), annotations={"of": self._salt()})
        return (empty,)

    def _artifact(self, more: Row | None = None) -> Manifest:
        """An artifact in one of its three forms, or in the first with more JSON."""
        form = 0 if more is not None else self.random.randrange(3)
        content = self._blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip")
        kind = f"application/vnd.example.{self.random.choice(('sbom', 'model', 'policy'))}"
        subject = (more or {}).get("subject", {}).get("digest")
        facts: Row = {"kind": "artifact", "artifact_type": kind, "subject_digest": subject}
        if form == 1:
            helm = self._blob("application/vnd.cncf.helm.config.v1+json")
            return image("oci", helm, (content,), facts | {"artifact_type": helm.media_type})
        if form == 2:
            media_type = f"{OCI}.artifact.manifest.v1+json"
            body = {"mediaType": media_type, "artifactType": kind, "blobs": [content.descriptor]}
            return manifest(body, media_type, facts, layers=(content,))
        return image(
            "oci", _NOTHING, (content,), facts, more={"artifactType": kind, **(more or {})}
        )

    def _attestation(self) -> Manifest:
        content = orjson.dumps({**_UNKNOWN, "config": {}, "salt": self._salt()})
        config = Blob(digest_of(content), len(content), CONFIGS["oci"], content=content)
        facts = {"kind": "attestation", "labels": {}, **_UNKNOWN}
        return image("oci", config, (self._blob(_IN_TOTO),), facts)

    def _schema1(self) -> Manifest:
        """An image of the old form, which states no sizes and names the newest layer first."""
        layers = tuple(replace(self._blob(""), media_type="") for _ in range(3))
        layers = (*layers, Blob(_EMPTY_LAYER, 32, ""), layers[0])
        history = orjson.dumps({"os": "linux", "created": "2015-03-04T05:06:07.123456789Z"})
        body = {
            "schemaVersion": 1,
            "name": "old",
            "tag": self._salt()[:7],
            "architecture": "amd64",
            "fsLayers": [{"blobSum": layer.digest} for layer in layers],
            "history": [{"v1Compatibility": history.decode()} for _ in layers],
        }
        facts = {
            "kind": "schema1",
            "os": "linux",
            "architecture": "amd64",
            "labels": {},
            "created_at": "2015-03-04T05:06:07.123456Z",
            "created_source": "config",
        }
        made = manifest(body, SCHEMA1, facts, layers=layers)
        return replace(made, findings=(("schema1_manifest", ""),))

    def _attached(self, kind: Oddity) -> tuple[Manifest, ...]:
        """An image with a signature or an SBOM, found by a tag that its digest is in."""
        signed = self.image("signed", _AMD)
        tag = signed.digest.replace(":", "-")
        subject = {"subject": _descriptor(signed.digest, len(signed.body))}
        referrer = self._artifact(subject)
        if kind is Oddity.ACCESSORY:  # Only a registry with an API for it tells of it.
            return signed, referrer
        if kind is Oddity.REFERRERS:
            listed = index("oci", (Reference(referrer, None, "other"),))
            return signed, replace(listed, tags=(tag,)), referrer
        content = orjson.dumps({"config": {}, "rootfs": {"type": "layers"}, "salt": self._salt()})
        config = Blob(digest_of(content), len(content), CONFIGS["oci"], content=content)
        facts = {"kind": "artifact", "artifact_type": config.media_type, "labels": {}}
        signature = image("oci", config, (self._blob(_SIMPLE_SIGNING),), facts)
        return signed, replace(signature, tags=(f"{tag}.sig",))

    def _blob(self, media_type: str, urls: tuple[str, ...] = ()) -> Blob:
        digest = digest_of(self._salt().encode())
        return Blob(digest, 100 + self.random.randrange(1 << 20), media_type, urls)

    def _salt(self) -> str:
        return f"{self.random.getrandbits(128):032x}"


def _descriptor(digest: str, size: int) -> Row:
    return {"mediaType": f"{OCI}.image.manifest.v1+json", "digest": digest, "size": size}
