"""The page of `aioregistry usage`: where the bytes of registries are."""

from collections.abc import Mapping, Sequence

from aioregistry.cleanup.plan.plan import Plan
from aioregistry.report.lists import MAX_ROWS
from aioregistry.report.render import rendered
from aioregistry.report.usage_figures import (
    ages,
    differences,
    figures_of,
    growth,
    layers,
    meanings,
    notes_of,
    reasons_of,
    recorded,
)
from aioregistry.report.usage_map import list_of_tags, map_document, map_of, maps
from aioregistry.usage.metrics import RegistryFigures
from aioregistry.usage.model import By

__all__ = ["GROUPS", "usage_page"]

_MAX_LAYERS = 10_000
_MAX_REPOSITORIES = 100

GROUPS: Mapping[By, int | None] = {
    By.REPOSITORY: None,
    By.TAG: MAX_ROWS,
    By.AGE: None,
    By.LAYER: _MAX_LAYERS,
}
"""What a page needs: ``measure_usage(registry, contents, also=GROUPS)``."""


def usage_page(
    figures: Sequence[RegistryFigures],
    *,
    account: Sequence[str] = (),
    plans: Mapping[str, Plan] | None = None,
) -> bytes:
    """Return a page of where the bytes of registries are: one file that needs no network.

    The same arguments make the same bytes. Needs the extra ``report``.

    Args:
        figures: The registries, counted with ``also=GROUPS``; one at least.
        account: What is said of the account's storage, a sentence each.
        plans: What a policy would delete, by the name of the registry; None for no policy.

    Raises:
        ValueError: A registry was counted otherwise, or there is none.
        MissingExtraError: The extra is not installed.
    """
    if not figures or not all(GROUPS.keys() <= each.usage.groups.keys() for each in figures):
        raise ValueError("a page needs registries that were counted with also=GROUPS")
    usages, plans = [each.usage for each in figures], plans or {}
    mapped = map_of(usages, plans)
    total = sum(usage.total.bytes for usage in usages)
    long = list_of_tags(mapped)
    largest = sorted(mapped.repositories, key=lambda one: (-one.row.exclusive_bytes, one.name))[
        :_MAX_REPOSITORIES
    ]
    return rendered(
        "usage.html.j2",
        {"lists": {long.name: long.document()}, "map": map_document(mapped)},
        registries=mapped.registries,
        at=max(usage.at for usage in usages),
        figures=figures_of(figures, plans),
        meanings=meanings(figures, plans),
        differences=differences(figures),
        notes=[note for usage in usages for note in notes_of(usage)],
        total=total,
        maps=maps(mapped),
        repositories=largest,
        more_repositories=len(mapped.repositories) - len(largest),
        growth=growth(usages),
        recorded=recorded(figures),
        ages=ages(usages),
        layers=layers(usages),
        account=account,
        reasons=reasons_of(plans),
        has_policy=mapped.has_policy,
        tags=long,
    )
