"""How registries differ from each other, as a switch."""

import attrs

__all__ = ["STRANGE", "Quirks"]


@attrs.frozen(kw_only=True)
class Quirks:
    """What a registry does otherwise than the sandbox by default.

    Attributes:
        new_signatures: Whether a manifest of Docker's schema 1 is signed anew at each ``GET``, so
            that the same digest never comes with the same bytes twice.
        lists_tags: Whether ``tags/list`` is served; else a 405.
        lists_referrers: Whether the referrers API is served; else a 404, and no ``OCI-Subject``.
        list_lag: The seconds for which a list is answered as it was when it was made, whatever has
            changed since; 0 (the default) for lists that are always up to date.
        collects_children: Whether a garbage collection of untagged manifests takes the children
            and the referrers of tagged ones as well.
        deletes: Whether ``DELETE`` of manifests, tags and blobs is served by the registry itself;
            else a 405.
    """

    new_signatures: bool = False
    lists_tags: bool = True
    lists_referrers: bool = True
    list_lag: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    collects_children: bool = False
    deletes: bool = False


STRANGE = Quirks(
    new_signatures=True,
    lists_tags=False,
    lists_referrers=False,
    list_lag=2.0,
    collects_children=True,
    deletes=True,
)
"""All of them at once."""
