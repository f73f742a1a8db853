"""What to do about an address: clauses that name the settings which it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remedies:
    """Advice about addresses; the defaults are for services that are found by their domain.

    `moved` is for an answer that redirects, `tls` and `plain` for a port that speaks TLS or does
    not, against the settings. `name` and `address` are for the certificate of another host,
    `unresolved` for a name that DNS does not know or no URL can have, `authority` for a certificate
    of an authority that is not trusted.
    """

    moved: str = "name the right address in `endpoints`"
    tls: str = "write https:// in `endpoints`"
    plain: str = "check the port in `endpoints`"
    name: str = "check the host's name in `endpoints` or `domain`"
    address: str = "check the host's address in `endpoints` or `domain`"
    unresolved: str = "check `endpoints` and `domain`"
    authority: str = "name the authority's certificates in network.ca_file if it is a private one"


BY_DOMAIN = Remedies()
