"""What a client is made of, and its life: new, open, closed."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from aioregistry.api.endpoints import Family
from aioregistry.arguments import Ignored, plain_callback
from aioregistry.client.credentials import token_from_environment
from aioregistry.client.families import PathFamilies
from aioregistry.client.lists import PagerFactory
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import Limiter, RateLimit, RateLimitStatus
from aioregistry.session.exchange import FinishedRequest, RecentRequests
from aioregistry.session.origins import API_URL, API_URL_VARIABLE, origin_from_environment
from aioregistry.session.retry import RetryPolicy
from aioregistry.session.session import Session
from aioregistry.session.transport import TokenSource, Transport
from aioregistry.version import VERSION

if TYPE_CHECKING:
    import aiohttp

__all__ = ["BaseClient"]

T = TypeVar("T")


class BaseClient:
    """A client without calls; see `RegistryClient`, which has them, for the arguments."""

    def __init__(
        self,
        token: TokenSource | None = None,
        *,
        base_url: str | None = None,
        session: "aiohttp.ClientSession | None" = None,
        connector: "aiohttp.BaseConnector | None" = None,
        api: Family = "registry",
        rate_limit: RateLimit | Limiter | None = RateLimit(),
        retry: RetryPolicy = RetryPolicy(),
        timeout: "float | aiohttp.ClientTimeout" = 30.0,
        per_page: int = 200,
        concurrency: int = 16,
        user_agent: str | None = None,
        on_request: Callable[[FinishedRequest], Ignored] | None = None,
        trust_env: bool = False,
    ) -> None:
        if not 1 <= per_page <= 200:
            raise ValueError(f"per_page must be 1 to 200, not {per_page}")
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        ours = f"aioregistry/{VERSION}"
        transport = Transport(
            base_url=(
                origin_from_environment(API_URL_VARIABLE) or API_URL
                if base_url is None
                else base_url
            ),
            token=token_from_environment() if token is None else token,
            session=session,
            connector=connector,
            timeout=timeout,
            user_agent=ours if user_agent is None else f"{user_agent} {ours}",
            trust_env=trust_env,
        )
        own_limiter = WindowLimiter(rate_limit) if isinstance(rate_limit, RateLimit) else None
        self._own_limiter = own_limiter
        self._limiter = own_limiter if isinstance(rate_limit, RateLimit) else rate_limit
        if not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry must be a RetryPolicy, not {retry!r}; attempts=1 never repeats")
        if not isinstance(rate_limit, RateLimit | None) and not hasattr(rate_limit, "acquire"):
            raise TypeError(
                f"rate_limit must be a RateLimit, a Limiter or None, not {rate_limit!r}"
            )
        on_request = plain_callback("on_request", on_request)
        self._session = Session(transport, self._limiter, retry, on_request)
        self._families = PathFamilies(self._session, api, trust_env=trust_env)
        self._pagers = PagerFactory(self._families, per_page, concurrency)
        self._concurrency = concurrency

    async def open(self) -> Self:
        """Open the client; ``async with`` does it, too.

        Raises:
            ClientClosedError: It is open, or was closed; or its aiohttp session is another event
                loop's.
        """
        self._session.open()
        return self

    async def close(self) -> None:
        """Close the client: tasks that still run are cancelled, and waits for quota end."""
        if self._own_limiter is not None:
            self._own_limiter.close()
        await self._session.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def closed(self) -> bool:
        """Whether it is not open: not yet, or no more."""
        return self._session.state != "open"

    @property
    def rate_limit_status(self) -> RateLimitStatus | None:
        """What is left of the quota, and what the rate-limit headers reported last.

        Any thread may read it while the client's event loop runs; else it is a `ClientClosedError`.
        None without a limiter, and with a limiter of your own that has no `status`.
        """
        if self._limiter is None:
            return None
        return self.in_loop(lambda: getattr(self._limiter, "status", None))

    def in_loop(self, function: Callable[[], T]) -> T:
        """Call a function in the client's event loop, and return what it returns.

        For other threads, such as that of a FastAPI endpoint without ``async``.

        Args:
            function: A plain function that does not block; what it raises is raised here.

        Raises:
            ClientClosedError: The event loop does not run.
        """
        return self._session.in_loop(function)

    @property
    def recent_requests(self) -> RecentRequests:
        """What became of the latest requests; `aioregistry.web.Health` judges by it."""
        return self._session.recent

    def __repr__(self) -> str:
        return f"<RegistryClient {self._session.base_url} {self._session.state}>"
