"""Lists that are answered as they were a while ago."""

from collections.abc import Callable, Hashable, Sequence

import attrs

__all__ = ["Lag"]


@attrs.define(eq=False)
class Lag:
    """What each list was when it was made last, by any key."""

    _made: dict[Hashable, tuple[float, Sequence[str]]] = attrs.field(factory=dict, init=False)

    def listed(
        self, key: Hashable, now: float, seconds: float, make: Callable[[], Sequence[str]]
    ) -> Sequence[str]:
        """Return a list as it was at most so many seconds ago.

        Args:
            key: Which list.
            now: Unix seconds.
            seconds: How old it may be.
            make: Makes it as it is now.
        """
        at, items = self._made.get(key, (now - seconds, ()))
        if now - at >= seconds:
            items = make()
            self._made[key] = (now, items)
        return items
