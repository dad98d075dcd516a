"""What an error of Redis means: that it is away for a while, or that it will never serve us."""

import re
import socket
import ssl
from collections.abc import Iterator

from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    ClusterCrossSlotError,
    ClusterError,
    ConnectionError,  # noqa: A004, Redis's own
    MovedError,
    NoPermissionError,
    RedisClusterException,
    TimeoutError,  # noqa: A004, Redis's own
)

from aioregistry.errors import SharedQuotaError

__all__ = ["describe", "hint", "is_away", "is_refused", "reason", "refusal"]

# Answers that pass by themselves. In scripts of older servers they stand within the text.
_PASSING = re.compile(
    r"\b(?:ASK|BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|NOSCRIPT|OOM|READONLY"
    r"|TRYAGAIN|UNKILLABLE)\b"
)
_PASSING_TYPES = {
    *("AskError", "BusyLoadingError", "ClusterDownError", "MasterDownError", "NoScriptError"),
    *("OutOfMemoryError", "ReadOnlyError", "TryAgainError"),
}
_REFUSED = re.compile(
    r"\b(?:NOAUTH|NOPERM|WRONGPASS|AuthenticationError|Invalid Database)\b|ACL failure"
    r"|[Uu]nknown (?:Redis )?command"
)
_REFUSED_TYPES = (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    ClusterCrossSlotError,
    MovedError,
    NoPermissionError,
)
_AWAY_TYPES = (ConnectionError, TimeoutError, ClusterError, RedisClusterException, OSError)
_LOST_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_MAX_CHARACTERS = 300

_HINTS = (
    (r"Authenti|NOAUTH|WRONGPASS|password", "Check the user name and password of Redis"),
    (
        r"NOPERM|NoPermission|ACL failure|user executing the script",
        "The user's ACL lacks a command, or keys that are needed",
    ),
    (
        r"MOVED|MovedError|CROSSSLOT|CrossSlot",
        "It is a cluster: pass a redis.asyncio.RedisCluster, or a server that is none",
    ),
    (
        r"[Uu]nknown (?:Redis )?command",
        "It lacks a command: a Redis 6.2 or newer, or a Valkey, has all unless some are renamed",
    ),
    (r"OOM|OutOfMemory", "Its memory is full: give it more, or raise its maxmemory"),
    (r"READONLY|ReadOnly", "It is a replica: name its primary, unless it is about to become that"),
    (r"SSL|TLS|certificate", "Check the TLS settings of the client of Redis"),
    (r"gaierror|Name or service|getaddrinfo|nodename", "Check the host name of Redis"),
)


def is_away(error: Exception, *, reached: bool) -> bool:
    """Return whether Redis is away for a while: waiting may help.

    Args:
        error: What a call of Redis raised.
        reached: Whether it has answered before: a name or a TLS handshake that worked once may
            fail for a moment; one that never did is wrong.
    """
    if is_refused(error, reached=reached):
        return False
    return (
        isinstance(error, _AWAY_TYPES)
        or type(error).__name__ in _PASSING_TYPES
        or _lacks_login_for_now(error)
        or _PASSING.search(str(error)) is not None
    )


def is_refused(error: Exception, *, reached: bool) -> bool:
    """Return whether Redis will never serve us as we are: by its answer, or on the way to it.

    Args:
        error: What a call of Redis raised.
        reached: Whether it has answered before; see `is_away`.
    """
    chain = list(_chain(error))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
        return True
    if _lacks_login_for_now(error):
        return False
    if any(isinstance(each, _REFUSED_TYPES) or _REFUSED.search(str(each)) for each in chain):
        return True
    return not reached and any(_is_wrong_at_first(each) for each in chain)


def describe(error: Exception) -> str:
    """Return what an error of Redis says, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:_MAX_CHARACTERS] if text else "no answer in time"


def reason(error: Exception) -> Exception:
    """Return the error that another one is about.

    A client of Redis may try again for longer than an answer is waited for here: the error after
    which it did is in the context of the timeout.
    """
    for each in _chain(error):
        if isinstance(each, Exception) and str(each):
            return each
    return error


def refusal(error: Exception) -> SharedQuotaError:
    """Return the error that callers get when waiting for Redis cannot help."""
    cause = reason(error)
    found = SharedQuotaError(f"Redis refuses to keep the shared quota ({describe(cause)})")
    found.hint = hint(error)
    found.__cause__ = cause
    return found


def hint(error: Exception) -> str:
    """Return what to look at after an error of Redis; empty where nothing is known to help."""
    everything = " ".join(f"{type(each).__name__} {each}" for each in _chain(error))
    return next((text for pattern, text in _HINTS if re.search(pattern, everything)), "")


def _lacks_login_for_now(error: Exception) -> bool:
    return any(type(each).__name__ == "ExternalAuthProviderError" for each in _chain(error))


def _is_wrong_at_first(error: BaseException) -> bool:
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    return isinstance(error, ssl.SSLError) and not isinstance(error, _LOST_TLS)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__
