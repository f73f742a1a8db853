"""Who may read: Basic, and the token service with its challenges, scopes and short-lived tokens."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multidict import CIMultiDict

from exporter.emulator.values import seeded_int

from .behaviour import DENIED, PASSWORD, USER, Quirk
from .replies import RegistryError

if TYPE_CHECKING:
    from .behaviour import Behaviour

CATALOG = "registry:catalog:*"
_BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_SERVICE = {"distribution": "registry.example", "harbor": "harbor-registry"}
_FORMS = 5


@dataclass(slots=True)
class _Token:
    scope: str
    until: float
    calls: int = 0


class Access:
    """Checks calls, and gives tokens. `url` is the registry's, without a path, once it is known."""

    def __init__(self) -> None:
        self.url = ""
        self._tokens: dict[str, _Token] = {}

    def check(self, header: str | None, scope: str, behaviour: Behaviour, now: float) -> None:
        """Let a call pass that may be made; `now` is in seconds since 1970.

        Raises:
            RegistryError: 401 with challenges, or 403.

        """
        repository = scope.split(":")[1] if scope.startswith("repository:") else ""
        denied = behaviour.one_of(DENIED, repository) if repository else None
        if behaviour.access == "basic" and header != _BASIC:
            raise self._challenge(scope, behaviour)
        if behaviour.access == "token":
            self._check_token(header, scope, behaviour, now)
        if denied is Quirk.REPOSITORY_401:
            raise self._challenge(scope, behaviour)
        if denied is not None:
            raise RegistryError(403, "requested access to the resource is denied")

    def check_basic(self, header: str | None, behaviour: Behaviour) -> None:
        """Let a call pass that needs user and password where the registry needs anything.

        Raises:
            RegistryError: 401.

        """
        if behaviour.access != "anonymous" and header != _BASIC:
            raise RegistryError(401, "unauthorized")

    def grant(
        self, header: str | None, scope: str | None, behaviour: Behaviour, now: float
    ) -> dict[str, object]:
        """The token service's answer to a call with a scope.

        Raises:
            RegistryError: Not a user, or not one for this repository.

        """
        if header != _BASIC:
            raise RegistryError(401, "incorrect username or password")
        told = scope or ""
        repository = told.split(":")[1] if told.startswith("repository:") else ""
        if repository and behaviour.one_of(DENIED, repository) is Quirk.TOKEN_403:
            raise RegistryError(403, "this user may not pull that")
        value = f"emulated.{len(self._tokens)}.{seeded_int(behaviour.seed, told):x}"
        self._tokens[value] = _Token(told, now + behaviour.token_life)
        if behaviour.has(Quirk.ACCESS_TOKEN):
            return {"access_token": value}
        return {"token": value, "expires_in": int(behaviour.token_life)}

    def _check_token(
        self, header: str | None, scope: str, behaviour: Behaviour, now: float
    ) -> None:
        token = self._tokens.get((header or "").removeprefix("Bearer "))
        if token is None:
            raise self._challenge(scope, behaviour)
        token.calls += 1
        is_old = behaviour.token_calls is not None and token.calls > behaviour.token_calls
        if is_old or token.until <= now:
            if behaviour.has(Quirk.EXPIRED_400):
                raise RegistryError(400, "Your Authorization Token is invalid.", code="DENIED")
            raise self._challenge(scope, behaviour, error="invalid_token")
        if scope and token.scope != scope:
            raise self._challenge(scope, behaviour, error="insufficient_scope")

    def _challenge(self, scope: str, behaviour: Behaviour, error: str = "") -> RegistryError:
        """401 with a challenge; with odd challenges, in a form that depends on the scope."""
        headers: CIMultiDict[str] = CIMultiDict()
        if behaviour.access == "token":
            odd = behaviour.has(Quirk.ODD_CHALLENGES)
            form = seeded_int(behaviour.seed, scope) % _FORMS if odd else 0
            if behaviour.has(Quirk.PLACEHOLDER_SCOPE) and scope:
                scope = "repository:user/image:pull"
            for value in self._forms(form, scope, behaviour, error):
                headers.add("WWW-Authenticate", value)
        else:
            headers.add("WWW-Authenticate", 'Basic realm="basic, realm"')
        return RegistryError(401, "authentication required", headers=headers)

    def _forms(self, form: int, scope: str, behaviour: Behaviour, error: str) -> list[str]:
        path = behaviour.prefix + ("/service/token" if behaviour.flavor == "harbor" else "/token")
        realm, service = f"{self.url}{path}", _SERVICE[behaviour.flavor]
        more = (f',scope="{scope}"' if scope else "") + (f',error="{error}"' if error else "")
        usual = f'Bearer realm="{realm}",service="{service}"{more}'
        match form:
            case 1:
                return ['Basic realm="basic, realm"', usual]
            case 2:
                return [f'Basic realm="a \\"quoted\\", realm", {usual}']
            case 3:
                return [f'BEARER Realm="{realm}" , SERVICE={service}{more}']
            case 4:
                return [f'Negotiate, bearer realm="{path}?account=none",service="{service}"{more}']
        return [usual]
