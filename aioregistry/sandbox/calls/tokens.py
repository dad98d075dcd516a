"""The token service: docker credentials in, a bearer token out; and the end of credentials."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from aioregistry.sandbox.calls.answers import (
    Answer,
    ProtocolError,
    answer_json,
    unauthorized,
    unsupported,
)
from aioregistry.sandbox.state.credentials import HOST, Credentials, repositories_to_push
from aioregistry.sandbox.state.state import State

__all__ = ["REVOCATION_ROUTE", "TOKEN_ROUTE", "answer_revocation", "answer_token"]

TOKEN_ROUTE = "/v2/registry/auth"  # noqa: S105  (a path)
# Of cloud.digitalocean.com, where people log in; the API and the registry have none such.
REVOCATION_ROUTE = "/v1/oauth/revoke"
_SECONDS = 900


def answer_token(
    state: State, method: str, authorization: str, query: Mapping[str, Sequence[str]], body: bytes
) -> Answer:
    """Answer a request for a bearer token.

    Args:
        state: The account.
        method: GET, with ``Authorization: Basic`` and any number of ``scope`` parameters; or POST,
            with the form of OAuth2's password or refresh-token grant.
        authorization: That header, or an empty text.
        query: The decoded query.
        body: The form of a POST.

    Raises:
        ProtocolError: 401: the credentials are not good; 403: the tier has no room for a repository
            that is to be pushed to.
    """
    now = state.clock()
    if method == "GET":
        credentials = state.keyring.login(authorization, now)
        asked = query.get("scope", ())
    elif method == "POST":
        form = parse_qs(body.decode("utf-8", "replace"))
        credentials = _login_by_form(state, form, now)
        asked = form.get("scope", ())
    else:
        raise unsupported()
    if credentials is None:
        raise unauthorized({"Www-Authenticate": f'Basic realm="{HOST}"'})
    scopes = [scope for value in asked for scope in value.split(" ")]
    _check_room(state, credentials, scopes)
    read_only = [name for name in state.registries if state.active_collection(name)]
    token = state.keyring.grant(credentials, scopes, now, read_only)
    granted = {"token": token, "access_token": token, "expires_in": _SECONDS}
    if method == "POST":
        # The secret itself does for the next time: it needs no state of its own.
        granted |= {"refresh_token": credentials.secret, "scope": " ".join(scopes)}
    return answer_json(200, granted)


def answer_revocation(state: State, method: str, authorization: str, body: bytes) -> Answer:
    """Answer a request to revoke docker credentials, which carries no API token.

    Args:
        state: The account.
        method: POST.
        authorization: ``Bearer`` and the password of the credentials.
        body: A form, with the same as ``token``.

    Raises:
        ProtocolError: 400: there is no ``token``; 401: the bearer has expired, or was revoked.
    """
    if method != "POST":
        raise unsupported()
    scheme, _, bearer = authorization.partition(" ")
    token = next(iter(parse_qs(body.decode("utf-8", "replace")).get("token", ())), "")
    if scheme.lower() != "bearer" or state.keyring.find(bearer, state.clock()) is None:
        raise unauthorized({})
    if not token:
        raise ProtocolError(400, "UNKNOWN", "token is missing")
    # One that is not known has nothing left to revoke.
    state.keyring.revoke(token, state.clock())
    return answer_json(200, {})


def _check_room(state: State, credentials: Credentials, scopes: Sequence[str]) -> None:
    """Refuse a push to one repository more than the free tier includes.

    A state may have more repositories than a paid tier includes, and nothing is refused there.

    Raises:
        ProtocolError: 403, though the credentials may push.
    """
    if state.tier.monthly_price_in_cents or not credentials.read_write:
        return
    existing = state.registry(credentials.registry).repositories
    new = repositories_to_push(credentials.registry, scopes) - existing.keys()
    held = sum(len(registry.repositories) for registry in state.registries.values())
    included = state.tier.included_repositories
    if new and held + len(new) > included:
        raise ProtocolError(
            403, "DENIED", f"the tier includes {included} repositories, and has {held} already"
        )


def _login_by_form(
    state: State, form: Mapping[str, Sequence[str]], now: float
) -> Credentials | None:
    def value(name: str) -> str:
        return next(iter(form.get(name, ())), "")

    match value("grant_type"):
        case "password" if value("username") == value("password"):
            return state.keyring.find(value("password"), now)
        case "refresh_token":
            return state.keyring.find(value("refresh_token"), now)
        case _:
            return None
