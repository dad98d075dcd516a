"""How far the making of a plan is."""

from attrs import frozen

__all__ = ["PlanProgress"]


@frozen
class PlanProgress:
    """How far the making of a plan is.

    Attributes:
        repositories: Repositories that are done.
        of: Repositories in all.
        manifests: Manifests that were listed.
        read: Manifests whose contents were looked at.
    """

    repositories: int = 0
    of: int = 0
    manifests: int = 0
    read: int = 0
