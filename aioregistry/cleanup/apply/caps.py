"""What a plan may delete at most."""

from typing import Any

from attrs import field, frozen

from aioregistry.cleanup.plan.items import RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.errors import RegistryError

__all__ = ["CapExceededError", "Caps"]


class CapExceededError(RegistryError):
    """A plan would delete more than its caps allow; nothing was sent."""


def _check_fraction(_: object, __: object, value: Any) -> None:
    if type(value) not in {int, float} or not 0 <= value <= 1:
        raise ValueError(f"max_fraction must be 0 to 1, not {value!r}")


def _check_most(_: object, __: object, value: Any) -> None:
    if value is not None and (type(value) is not int or value < 0):
        raise ValueError(f"max_deletes must be a whole number, 0 or more, not {value!r}")


@frozen(kw_only=True)
class Caps:
    """What a plan may delete at most; a plan that wants more is refused as a whole.

    Attributes:
        max_deletes: How many DELETEs; None for any number.
        max_fraction: Which part of a repository's tags, 0 to 1; those of signatures do not count.
    """

    max_deletes: int | None = field(default=None, validator=_check_most)
    max_fraction: float = field(default=0.5, validator=_check_fraction)

    def check(self, plan: Plan, *, force: bool = False) -> None:
        """Raise `CapExceededError` when a plan is over these caps.

        Args:
            plan: The plan.
            force: Whether it may be over `max_fraction`.
        """
        deletes = sum(1 for _ in plan.condemned)
        if self.max_deletes is not None and deletes > self.max_deletes:
            raise CapExceededError(
                f"the plan has {deletes:,} DELETEs, and {self.max_deletes:,} are allowed"
            )
        over = [repo.name for repo in plan.repositories if _fraction(repo) > self.max_fraction]
        if over and not force:
            named = ", ".join(over[:5]) + (", …" if len(over) > 5 else "")
            raise CapExceededError(
                f"more than {self.max_fraction:.0%} of the tags would go in {named}; look at the "
                "plan, and force it if that is what you want"
            )


def _fraction(repository: RepositoryPlan) -> float:
    going = repository.tags_going
    return going / max(repository.tags, going) if going else 0.0
