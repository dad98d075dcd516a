"""The end of Docker credentials: the one call that goes to another origin than the API's."""

from urllib.parse import urlencode

from aioregistry.api.endpoints import Request
from aioregistry.errors import AuthenticationError, RegistryError
from aioregistry.session.origins import API_URL, REVOCATION_URL, canonical_origin
from aioregistry.session.retry import RetryPolicy
from aioregistry.session.session import Session
from aioregistry.session.transport import Transport
from aioregistry.version import VERSION

__all__ = ["revocation_origin", "revoke"]

_PATH = "/v1/oauth/revoke"
_FORM = "application/x-www-form-urlencoded"
# Somebody waits for it at a terminal.
_PATIENCE = RetryPolicy(attempts=3, cap=2.0, max_retry_after=5.0)
_TIMEOUT_SECONDS = 10.0


def revocation_origin(api_url: str) -> str:
    """Return the origin at which the credentials that an API made are revoked.

    That is the vendor's for its API, and otherwise the API's own: no other place is told a secret.
    """
    is_vendors = canonical_origin(api_url) == API_URL
    return REVOCATION_URL.removesuffix(_PATH) if is_vendors else api_url


async def revoke(password: str, api_url: str, *, trust_env: bool = False) -> bool:
    """Revoke Docker credentials: ``POST https://cloud.digitalocean.com/v1/oauth/revoke``.

    Needs no API token: the password authorizes its own end.

    Args:
        password: The password of the credentials.
        api_url: The API that made them.
        trust_env: Whether the environment's proxies are used; by default they are not.

    Returns:
        Whether they were valid until now; False if they had expired or been revoked.

    Raises:
        InvalidTokenError: No credentials have such a password; nothing was sent.
        RegistryError: Any of its kinds: they may be valid still.
    """
    transport = Transport(
        base_url=revocation_origin(api_url),
        token=password,
        session=None,
        connector=None,
        timeout=_TIMEOUT_SECONDS,
        user_agent=f"aioregistry/{VERSION}",
        trust_env=trust_env,
    )
    body = urlencode({"token": password}).encode()
    request = Request("POST", _PATH, _PATH, body=body, content_type=_FORM)
    session = Session(transport, None, _PATIENCE)
    session.open()
    try:
        await session.send(request)
    except AuthenticationError:
        return False
    except RegistryError as error:
        # The hints speak of API tokens and registries.
        error.hint = ""
        raise
    finally:
        await session.close()
    return True
