"""Faults on demand: which requests go wrong, and how; with a random source of its own."""

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any, Literal, Self, get_args

import attrs

Kind = Literal[
    "delay",  # the answer takes ``seconds`` longer
    "status",  # an error ``status`` in the API's own form; nothing is done
    "html",  # a proxy's page with ``status``; nothing is done
    "reset-before",  # the connection is reset before anything is done or counted
    "lost",  # the work is done, then the connection is reset instead of an answer
    "reset-within",  # the work is done, then the connection is reset half-way through the answer
    "reset-after",  # the answer is complete, then the connection is reset
    "truncate",  # the body ends half-way, and the headers agree with it
    "body",  # the body, if any, is replaced by ``body``
    "drip",  # the body comes in pieces over ``seconds``
    "duplicate",  # the request is carried out twice and the second answer is sent
    "move",  # the list that is asked for changes by ``count`` items just before: see ``change``
    "quota",  # other clients of the token make ``count`` requests just before
]
KINDS: tuple[str, ...] = get_args(Kind)
SPOILING = frozenset(KINDS) - {"delay", "duplicate", "move", "quota"}
Spread = Literal["fixed", "uniform", "exponential", "lognormal"]
Change = Literal["push", "delete"]
_FOR_EVER = 10.0**9


def _one_of(names: Iterable[str]) -> Any:
    return attrs.validators.in_(tuple(names))


def _optional(*kinds: type) -> Any:
    return attrs.validators.optional(attrs.validators.instance_of(kinds))


@attrs.frozen(kw_only=True)
class Fault:
    """One way to go wrong, and for which requests.

    Attributes:
        kind: The effect; ``KINDS`` lists all.
        method: Only requests with this method; None (the default) for any.
        route: Only routes that match this pattern of ``fnmatch``, such as ``*/tags``; None (the
            default) for any.
        skip: How many matching requests are spared at first; 0 by default.
        times: How many requests it strikes; None (the default) for all.
        chance: The probability of striking, 1 by default.
        status: Of ``status`` and ``html``.
        retry_after: Of ``status`` and ``html``: seconds for that header.
        seconds: Of ``delay``, ``drip``, and of ``lost`` (before the reset).
        spread: How ``seconds`` vary: not at all; evenly from 0 to twice that; exponentially around
            it; log-normally with it as the median.
        body: Of ``body``.
        count: Of ``move`` and ``quota``.
        change: Of ``move``: whether items are pushed or the newest ones deleted.
    """

    kind: Kind = attrs.field(validator=_one_of(KINDS))
    method: str | None = attrs.field(default=None, validator=_optional(str))
    route: str | None = attrs.field(default=None, validator=_optional(str))
    skip: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    times: int | None = attrs.field(default=None, validator=_optional(int))
    chance: float = attrs.field(
        default=1.0, validator=[attrs.validators.ge(0), attrs.validators.le(1)]
    )
    status: int = attrs.field(
        default=503, validator=[attrs.validators.ge(400), attrs.validators.lt(600)]
    )
    retry_after: float | None = attrs.field(default=None, validator=_optional(int, float))
    seconds: float = attrs.field(
        default=0.0, validator=[attrs.validators.ge(0), attrs.validators.lt(_FOR_EVER)]
    )
    spread: Spread = attrs.field(default="fixed", validator=_one_of(get_args(Spread)))
    body: str = attrs.field(default="null", validator=attrs.validators.instance_of(str))
    count: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    change: Change = attrs.field(default="push", validator=_one_of(get_args(Change)))

    def concerns(self, method: str, route: str) -> bool:
        """Whether it is meant for such a request."""
        return (self.method is None or self.method == method) and (
            self.route is None or fnmatchcase(route, self.route)
        )

    def duration(self, random: Random) -> float:
        """Draw the seconds for one request."""
        match self.spread:
            case "fixed":
                return self.seconds
            case "uniform":
                return random.uniform(0, 2 * self.seconds)
            case "exponential":
                return random.expovariate(1 / self.seconds) if self.seconds else 0.0
            case "lognormal":
                return self.seconds * random.lognormvariate(0, 1)


NO_FAULT = Fault(kind="delay")


class Faults:
    """A script of faults, which each request passes.

    The same faults, seed and sequence of requests give the same outcome.
    """

    def __init__(self, *faults: Fault, seed: int = 0) -> None:
        """Start the script.

        Args:
            faults: Looked at in this order; of several that spoil an answer, the first one does.
            seed: The seed of everything that is left to chance, 0 by default.
        """
        self.faults = faults
        self.seed = seed
        self.random: Random = Random(seed)  # noqa: S311  (faults, not secrets)
        self._matched = [0] * len(faults)
        self._struck = [0] * len(faults)

    def strike(self, method: str, route: str) -> list[Fault]:
        """Return the faults that strike the next request.

        Args:
            method: In capitals.
            route: Its route, as ``/v2/registries/{registry}``.
        """
        struck = []
        for index, fault in enumerate(self.faults):
            if not fault.concerns(method, route):
                continue
            self._matched[index] += 1
            due = self._matched[index] > fault.skip
            spent = fault.times is not None and self._struck[index] >= fault.times
            if due and not spent and (fault.chance == 1 or self.random.random() < fault.chance):
                self._struck[index] += 1
                struck.append(fault)
        return struck

    @classmethod
    def from_json(cls, script: Any) -> Self:
        """Read ``{"seed": 0, "faults": [{"kind": …, …}]}``.

        Raises:
            ValueError: It is no such script.
        """
        if not isinstance(script, Mapping) or not script.keys() <= {"seed", "faults"}:
            raise ValueError('faults are {"seed": …, "faults": […]}')
        try:
            faults = [Fault(**fault) for fault in script.get("faults", ())]
            return cls(*faults, seed=script.get("seed", 0))
        except (TypeError, ValueError) as error:
            raise ValueError(f"no such fault: {error.args[0]}") from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a script from a JSON file.

        Raises:
            OSError: It can't be read.
            ValueError: It is no script of faults.
        """
        try:
            return cls.from_json(json.loads(Path(path).read_bytes()))
        except RecursionError:
            raise ValueError("no faults: too deep") from None

    def as_json(self) -> dict[str, Any]:
        """The script, as ``from_json`` reads it."""
        return {"seed": self.seed, "faults": [attrs.asdict(fault) for fault in self.faults]}
