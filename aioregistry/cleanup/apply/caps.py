"""The limits on how much a plan may delete."""

from collections.abc import Iterator
from typing import Any

from attrs import field, frozen

from aioregistry.cleanup.plan.items import RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.errors import RegistryError

__all__ = ["CapExceededError", "Caps"]

_DEFAULT_FRACTION = 0.5
_MAX_NAMES_SHOWN = 5


class CapExceededError(RegistryError):
    """A plan would delete more than its limits allow; nothing was sent."""


def _check_fraction(_: object, __: object, value: Any) -> None:
    if value is not None and (type(value) not in {int, float} or not 0 <= value <= 1):
        raise ValueError(f"max_fraction must be 0 to 1, not {value!r}")


def _check_most(_: object, __: object, value: Any) -> None:
    if value is not None and (type(value) is not int or value < 0):
        raise ValueError(f"max_deletes must be a whole number, 0 or more, not {value!r}")


@frozen(kw_only=True)
class Caps:
    """The limits on how much a plan may delete; a plan that exceeds one is refused as a whole.

    Attributes:
        max_deletes: The largest number of DELETEs. None, the default, for that of the policy, or
            any number where the policy has none.
        max_fraction: The largest part of a repository's tags, from 0 to 1; those of signatures and
            the like are not counted. None, the default, for that of the policy, or a half.
    """

    max_deletes: int | None = field(default=None, validator=_check_most)
    max_fraction: float | None = field(default=None, validator=_check_fraction)

    def check(self, plan: Plan, *, force: bool = False) -> None:
        """Raise `CapExceededError` when a plan exceeds these limits.

        Args:
            plan: The plan.
            force: Whether it may exceed `max_fraction`. False by default.
        """
        for problem in self.exceeded(plan, force=force):
            raise CapExceededError(problem)

    def exceeded(self, plan: Plan, *, force: bool = False) -> Iterator[str]:
        """Yield a sentence for each limit that a plan exceeds.

        Args:
            plan: The plan.
            force: Whether it may exceed `max_fraction`. False by default.
        """
        most = plan.max_deletes if self.max_deletes is None else self.max_deletes
        deletes = sum(len(repo.condemned) for repo in plan.repositories)
        if most is not None and deletes > most:
            yield f"the plan has {deletes:,} DELETEs, and {most:,} are allowed"
        fraction = self.max_fraction
        if fraction is None:
            fraction = _DEFAULT_FRACTION if plan.max_fraction is None else plan.max_fraction
        over = [repo.name for repo in plan.repositories if _fraction(repo) > fraction]
        if over and not force:
            more = ", …" if len(over) > _MAX_NAMES_SHOWN else ""
            yield (
                f"more than {fraction:.0%} of the tags would be deleted in"
                f" {', '.join(over[:_MAX_NAMES_SHOWN])}{more}; check the plan, and set max-fraction"
                " in the policy if that is right"
            )


def _fraction(repository: RepositoryPlan) -> float:
    going = repository.tags_going
    return going / max(repository.tags, going) if going else 0.0
