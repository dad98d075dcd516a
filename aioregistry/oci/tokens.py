"""What requests to a registry are authorized with: docker credentials, and tokens for them."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from attrs import frozen
from yarl import URL

from aioregistry.errors import (
    AuthenticationError,
    ClientClosedError,
    InvalidResponseError,
    RegistryError,
    ResponseError,
)
from aioregistry.oci.challenges import Challenge, may_learn_credentials, parse_challenges
from aioregistry.oci.credentials import (
    CREDENTIALS_SECONDS,
    SAFE_SHARE,
    Credentials,
    Failures,
    basic,
)
from aioregistry.session.answers import Answer, Failure, NoAnswer, classify
from aioregistry.session.permits import give_back_before
from aioregistry.session.retry import RetryPolicy
from aioregistry.session.secret import Secret, redact

__all__ = ["Authorizer", "Token", "parse_token"]

# The protocol's default for a token that does not say how long it lives.
_TOKEN_SECONDS = 60.0
# How many repositories one token is asked for: their names have to fit into a URL.
_MAX_SCOPES = 25
Send = Callable[[str, str, Secret | None], Awaitable[Answer | NoAnswer]]


@frozen
class Token:
    """What a request is sent with.

    Attributes:
        authorization: The value of the Authorization header.
        good_until: When a new one is needed, on the event loop's clock.
        repositories: The repositories that it was asked for.
    """

    authorization: Secret
    good_until: float
    repositories: tuple[str, ...] = ()


class Authorizer:
    """Gives requests to a registry their Authorization header.

    Nothing is asked for before the registry asks for it by a 401. From then on a token is got
    before each request that has none; one token serves as many repositories as are known to need
    one, where the token service allows that.

    What others can bring is waited for without a permit, see `give_back_before`.

    Args:
        credentials: The docker credentials.
        name: The registry's name.
        send: Sends a request to the token service, once.
        retry: Decides on repetition.
        writes: Whether tokens let push, too; by default they do not.
    """

    def __init__(
        self,
        credentials: Credentials,
        name: str,
        send: Send,
        retry: RetryPolicy,
        writes: bool = False,
    ) -> None:
        self._credentials = credentials
        self._writes = writes
        self._name = name
        self._send = send
        self._retry = retry
        self._challenges: dict[str, Challenge] = {}
        self._usual_challenge: Challenge | None = None
        self._tokens: dict[str, Token] = {}
        # Repositories that may be asked for together; those that need a token of their own.
        self._known: dict[str, None] = {}
        self._alone: set[str] = set()
        # What a repository's token lets pull besides.
        self._sources: dict[str, dict[str, None]] = {}
        self._shares_tokens = True
        self._lock = asyncio.Lock()
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._failures = Failures()
        self._repository_failures: dict[str, Failures] = defaultdict(Failures)

    def expect(self, repositories: Iterable[str]) -> None:
        """Have the next tokens serve some further repositories, too."""
        self._known |= dict.fromkeys(repositories)

    def pull_also(self, repository: str, source: str) -> None:
        """Have a repository's tokens let pull from another one, too, to mount blobs of it.

        Args:
            repository: The repository that is written to.
            source: The repository that has the blobs.
        """
        sources = self._sources.setdefault(repository, {})
        if source not in sources:
            sources[source] = None
            self._tokens.pop(repository, None)

    def at_hand(self, repository: str) -> Secret | None:
        """Return what `authorize` would, if that is a token that is known; None for all else."""
        challenge = self._challenges.get(repository, self._usual_challenge)
        token = self._good_token(repository)
        if token is None or challenge is None or challenge.scheme == "basic":
            return None
        return token.authorization

    async def authorize(self, repository: str, base_url: str) -> Secret | None:
        """Return the Authorization header for a repository; None while none was asked for.

        Args:
            repository: The repository's name.
            base_url: The registry's origin.

        Raises:
            RegistryError: There is no token: any of its kinds.
        """
        challenge = self._challenges.get(repository, self._usual_challenge)
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            return basic(await self._credentials.get())
        token = self._good_token(repository)
        if token is not None:
            return token.authorization
        give_back_before(partial(self.authorize, repository, base_url))
        self._known[repository] = None
        begun = _now()
        shared = self._shares_tokens and repository not in self._alone
        async with self._lock if shared else self._locks[repository]:
            token = self._good_token(repository)
            if token is None:
                token = await self._new_token(repository, challenge, base_url, begun)
            return token.authorization

    def known(self, repository: str) -> Secret | None:
        """Return the header that requests for a repository were last sent with; None for none."""
        token = self._tokens.get(repository)
        return None if token is None else token.authorization

    def _good_token(self, repository: str) -> Token | None:
        token = self._tokens.get(repository)
        return token if token is not None and _now() < token.good_until else None

    async def _new_token(
        self, repository: str, challenge: Challenge, base_url: str, begun: float
    ) -> Token:
        self._failures.raise_if_failed(begun, _now())
        self._repository_failures[repository].raise_if_failed(begun, _now())
        service = self._token_service(challenge, base_url)
        try:
            token = await self._ask(service, challenge, repository)
        except ClientClosedError:
            raise
        except RegistryError as error:
            # 403: of this repository. All else is the same for the others that wait.
            of_one = isinstance(error, ResponseError) and error.status == 403
            failures = self._repository_failures[repository] if of_one else self._failures
            failures.record(error, _now())
            raise
        self._failures.forget()
        self._repository_failures.pop(repository, None)
        self._credentials.accept()
        for each in token.repositories:
            self._tokens[each] = token
        return token

    def _together(self, repository: str) -> tuple[str, ...]:
        """Return the repositories that the next token is asked for, this one first."""
        if not self._shares_tokens or repository in self._alone:
            return (repository,)
        others = [
            each
            for each in self._known
            if each != repository and each not in self._alone and self._good_token(each) is None
        ]
        return (repository, *others[: _MAX_SCOPES - 1])

    def _token_service(self, challenge: Challenge, base_url: str) -> URL:
        realm = challenge.parameters.get("realm", "")
        try:
            service = URL(realm)
        except ValueError:
            raise AuthenticationError("the registry names a token service without a URL") from None
        if not may_learn_credentials(realm, base_url):
            host = redact(str(service.host), *self._credentials.secrets())
            raise AuthenticationError(
                f"the registry asks to send its credentials to {host!r}, which "
                "is neither itself nor the vendor; nothing was sent there"
            )
        return service

    async def _ask(self, service: URL, challenge: Challenge, repository: str) -> Token:
        attempts = 0
        while True:
            credentials = await self._credentials.get()
            # Others may have come to need one meanwhile.
            repositories = self._together(repository)
            url = self._url(service, challenge, repositories)
            attempts += 1
            begun = _now()
            answer = await self._send("GET", url, basic(credentials))
            if isinstance(answer, NoAnswer):
                error, failure = answer.error, Failure(None)
            else:
                if 200 <= answer.status < 300 and not answer.too_large:
                    return parse_token(answer.body, begun, repositories)
                if len(repositories) > 1 and answer.status in {400, 403, 404, 405, 414, 431}:
                    # It may be the number of scopes, or one of the others.
                    self._shares_tokens = False
                    attempts = 0
                    continue
                if answer.status == 401 and self._credentials.refuse(credentials):
                    continue
                error, failure = classify(
                    answer, *self._credentials.secrets(), now=time.time(), server="token service"
                )
                _explain(error, repository)
            error.method, error.url, error.attempts = "GET", str(service.with_query(None)), attempts
            wait = self._retry.decide(failure, attempts, repeatable=True)
            if wait is None or (isinstance(answer, NoAnswer) and answer.final):
                raise error
            await asyncio.sleep(wait)

    def _url(self, service: URL, challenge: Challenge, repositories: tuple[str, ...]) -> str:
        name = self._name
        actions = "pull,push" if self._writes else "pull"
        scopes = [f"repository:{name}/{each}:{actions}" for each in repositories]
        own = self._challenges.get(repositories[0])
        # A read is asked for less than a write needs, and a token is for both.
        if not self._writes and own is not None and own.parameters.get("scope"):
            scopes[0] = own.parameters["scope"]
        for each in repositories:
            scopes += [
                f"repository:{name}/{source}:pull"
                for source in self._sources.get(each, ())
                if source not in repositories
            ]
        query = [("service", challenge.parameters.get("service", ""))]
        query += [("scope", scope) for scope in scopes]
        return str(service.update_query(query))

    def on_unauthorized(
        self, repository: str, answer: Answer, authorization: Secret | None
    ) -> None:
        """Take in what the registry asks for by a 401.

        Args:
            repository: The repository that was asked for.
            answer: The answer.
            authorization: What the request was sent with; None for nothing.

        Raises:
            AuthenticationError: It asks for nothing that is known, or for what it had.
        """
        getall = getattr(answer.headers, "getall", None)
        offers = [] if getall is None else getall("WWW-Authenticate", [])
        offered = parse_challenges(", ".join(offers))
        known = {challenge.scheme: challenge for challenge in reversed(offered)}
        challenge = known.get("bearer") or known.get("basic")
        if challenge is None:
            raise AuthenticationError(
                "the registry asks for no authentication that is known here", status=401
            )
        self._challenges[repository] = self._usual_challenge = challenge
        self._known[repository] = None
        token = self._tokens.get(repository)
        # Others may have got a new one by now.
        if token is not None and token.authorization == authorization:
            if len(token.repositories) > 1:
                # The service granted less than it was asked for, and does not say so.
                self._alone.add(repository)
            del self._tokens[repository]
        credentials = self._credentials.current
        if (
            credentials is not None
            and authorization == basic(credentials)
            and not self._credentials.refuse(credentials)
        ):
            raise AuthenticationError("the registry refuses the docker credentials", status=401)


def parse_token(body: bytes, begun: float, repositories: tuple[str, ...] = ()) -> Token:
    """Return the token in a token service's answer.

    Args:
        body: The answer's body.
        begun: When it was asked for, on the event loop's clock.
        repositories: What it was asked for.

    Raises:
        InvalidResponseError: There is none in it.
    """
    try:
        document = json.loads(body)
        value = document.get("token") or document.get("access_token")
        seconds = document.get("expires_in")
    except (ValueError, AttributeError, RecursionError):
        value = seconds = None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        raise InvalidResponseError("the token service answered without a token")
    if type(seconds) not in {int, float} or not seconds > 0:
        seconds = _TOKEN_SECONDS
    # Bounded, as the number may be larger than any float.
    seconds = min(seconds, CREDENTIALS_SECONDS)
    return Token(Secret(f"Bearer {value}"), begun + SAFE_SHARE * seconds, repositories)


def _explain(error: RegistryError, repository: str) -> None:
    if error.status == 401:
        error.hint = "The docker credentials that the API made were refused"
    elif error.status == 403:
        error.hint = f"The docker credentials give no access to the repository {repository!r}"


def _now() -> float:
    return asyncio.get_running_loop().time()
