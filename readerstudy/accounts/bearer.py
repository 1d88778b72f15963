"""How the API knows a program: ``Authorization: Bearer rs_...``, and what its token's scopes let it do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from readerstudy.accounts.limits import SECONDS, TOKENS, count_wrong, too_many
from readerstudy.accounts.models import Scope, Token, User
from readerstudy.accounts.tokens import PREFIX, seen, token_of

if TYPE_CHECKING:
    from rest_framework.views import APIView

REFUSED = (
    "This token can't be used: it is wrong, has expired or was revoked. Make a new one on the page of your tokens."
)
TOO_MANY = "Too many wrong tokens came from this address: wait ten minutes, then send one that works."


class BearerAuthentication(BaseAuthentication):
    """A person by their token; a request without one is left to the session."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        scheme, _, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        plain: HttpRequest = request._request
        if too_many(plain, TOKENS):
            raise Throttled(wait=SECONDS, detail=TOO_MANY)
        token = token_of(secret.strip())
        if token is None:
            count_wrong(plain, TOKENS)
            raise AuthenticationFailed(REFUSED)
        seen(token)
        return token.owner, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="results"'


class HasScope(IsAuthenticated):
    """Signed in, or with a token that has the view's ``scope``; a view without one is closed to tokens."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        scope = getattr(view, "scope", "")
        self.message = f"This token lacks the scope {scope}: make one that has it."
        allowed = not isinstance(request.auth, Token) or scope in request.auth.scopes
        return super().has_permission(request, view) and allowed


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The scheme as the schema describes it; every operation names the scope it needs."""

    target_class = BearerAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        scopes = "".join(f"\n- `{scope.value}`: {scope.label}" for scope in Scope)
        description = f"A personal token, made on the page of your tokens; it begins with `{PREFIX}`. Scopes:{scopes}"
        return {"type": "http", "scheme": "bearer", "description": description}

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[str]]:
        return {self.name: [str(scope)] if (scope := getattr(auto_schema.view, "scope", "")) else []}
