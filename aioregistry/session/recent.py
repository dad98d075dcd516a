"""What became of the latest requests: whether the API can be used, known without asking it."""

from typing import Literal

from attrs import define

__all__ = ["RecentRequests"]


@define
class RecentRequests:
    """The latest results of a session; times are seconds on the event loop's clock.

    Attributes:
        newest: What came of the last request that had a result: ``answered``, also with an error
            that only concerns this request (403, 404 and the like); ``refused``, the API or the
            token's callable gave no valid token; ``failed``, no answer or a 5xx. None before the
            first.
        newest_at: When that was.
        answered_at: When a request was last ``answered``; None when none was.
        failures: How many requests have ``failed`` since one had another result.
    """

    newest: Literal["answered", "refused", "failed"] | None = None
    newest_at: float = 0.0
    answered_at: float | None = None
    failures: int = 0

    def record(self, error: str | None, status: int | None, now: float) -> None:
        """Take in a request that has ended.

        Args:
            error: The name of the error's class; None when the request succeeded.
            status: The HTTP status of the last answer; None when there was none.
            now: The time.
        """
        if status == 401 or error == "InvalidTokenError":
            self.newest = "refused"
            self.failures = 0
        elif error in {"RegistryConnectionError", "RegistryTimeoutError", "ServerError"}:
            self.newest = "failed"
            self.failures += 1
        elif error is None or (status is not None and status != 429):
            self.newest = "answered"
            self.answered_at = now
            self.failures = 0
        else:
            # Cancelled, or never sent: says nothing of the API.
            return
        self.newest_at = now
