"""Subscription tiers: what each includes, and who may have it."""

from typing import Any

import attrs

_MIB = 1024**2
_GIB = 1024**3


@attrs.frozen
class Tier:
    """A subscription tier; 0 repositories means any number of them."""

    slug: str
    name: str
    included_repositories: int
    included_storage_bytes: int
    included_bandwidth_bytes: int
    allow_storage_overage: bool
    monthly_price_in_cents: int
    storage_overage_price_in_cents: int
    registries: int

    def reasons_against(self, registries: int, repositories: int, storage: int) -> list[str]:
        """Why an account that holds this much cannot have the tier."""
        reasons = []
        if registries > self.registries:
            reasons.append("OverRegistryLimit")
        if self.included_repositories and repositories > self.included_repositories:
            reasons.append("OverRepositoryLimit")
        if not self.allow_storage_overage and storage > self.included_storage_bytes:
            reasons.append("OverStorageLimit")
        return reasons

    def as_json(self) -> dict[str, Any]:
        """The tier as the API writes it."""
        return {
            "name": self.name,
            "slug": self.slug,
            "included_repositories": self.included_repositories,
            "included_storage_bytes": self.included_storage_bytes,
            "allow_storage_overage": self.allow_storage_overage,
            "included_bandwidth_bytes": self.included_bandwidth_bytes,
            "monthly_price_in_cents": self.monthly_price_in_cents,
            "storage_overage_price_in_cents": self.storage_overage_price_in_cents,
        }


TIERS = {
    tier.slug: tier
    for tier in (
        Tier("starter", "Starter", 1, 500 * _MIB, 500 * _MIB, False, 0, 0, 1),
        Tier("basic", "Basic", 5, 5 * _GIB, 5 * _GIB, True, 500, 2, 1),
        Tier("professional", "Professional", 0, 100 * _GIB, 100 * _GIB, True, 2000, 2, 10),
    )
}
REGIONS = ("nyc3", "sfo3", "sfo2", "ams3", "sgp1", "fra1", "blr1", "syd1")
