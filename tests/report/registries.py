"""Registries as they are counted, small and large, and with names that others chose badly."""

from collections.abc import Sequence
from datetime import timedelta

from aioregistry.api.models import Blob, Manifest, Registry
from aioregistry.cleanup.plan.items import Condemned, FreedBytes, Kept, LeftAlone, RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.report.usage_page import GROUPS
from aioregistry.usage.history import UsageRecord
from aioregistry.usage.metrics import RegistryFigures
from aioregistry.usage.model import By
from aioregistry.usage.tally import Tally
from tests.cleanup.registries import NOW, digest_of

HOSTILE = (
    "<b>bold</b>",
    "</script><img src=x onerror=document.title='hit'>",
    "<svg onload=document.title='hit'>",
    "javascript:document.title='hit'",
    "gnp.\u202egpj",
    "line\u2028break\nnew",
    "\x00nul",
    '=HYPERLINK("https://example.invalid")',
    "{{ 7 * 7 }}",
    "x" * 300,
    "ünï-標籤-🙂",
    "&lt;b&gt; &amp; \"q\" 'p'",
    "<!--<script>",
    "\ud800lone",
)


def counted(repositories: dict[str, Sequence[str]], registry: str = "example") -> RegistryFigures:
    """A registry of some repositories; each tag has a layer of its own, and shares others."""
    tally = Tally(By.REPOSITORY, NOW, also=GROUPS)
    for nth, (repository, tags) in enumerate(repositories.items()):
        for number, tag in enumerate(tags):
            pushed = NOW - timedelta(hours=7 * number + nth)
            tally.add(image(repository, f"{registry!a}/{nth}/{number}", [tag], number, pushed))
        tally.add(
            image(repository, f"{registry!a}/{nth}/untagged", [], 3, NOW - timedelta(days=400))
        )
        tally.end(repository, {})
    usage = tally.usage(registry, unread=0, complete=True)
    reported = Registry(
        name=registry,
        storage_usage_bytes=usage.total.bytes + 5_000_000,
        storage_usage_bytes_updated_at=NOW,
    )
    records = [
        UsageRecord(
            at=NOW - timedelta(days=day), cause="usage", stored_bytes=(90 - day) * 10_000_000
        )
        for day in range(60, 0, -3)
    ]
    return RegistryFigures(usage=usage, reported=reported, records=records)


def image(repository: str, name: str, tags: Sequence[str], number: int, pushed) -> Manifest:
    blobs = [
        Blob(digest_of("base"), 80_000_000),
        Blob(digest_of(f"{repository!a} base"), 25_000_000),
        Blob(digest_of(f"{name} layer"), 1_000_000 + 37_003 * (number % 97)),
        Blob(digest_of(name), 903),
    ]
    return Manifest(
        repository=repository,
        digest=digest_of(name),
        tags=tuple(tags),
        blobs=tuple(blobs),
        compressed_size_bytes=sum(blob.compressed_size_bytes or 0 for blob in blobs),
        updated_at=pushed,
    )


def planned(repositories: dict[str, Sequence[str]], keep: int = 2) -> Plan:
    """A plan that deletes all tags of each repository but the first ones."""
    return Plan(
        registry="example",
        made_at=NOW,
        repositories=tuple(
            RepositoryPlan(
                name=repository,
                tags=len(tags),
                manifests=len(tags) + 1,
                condemned=[
                    Condemned(
                        delete="manifest",
                        digest=digest_of(f"{repository!a} {number}"),
                        tags=(tag,),
                        reason="older than 30d" if number % 40 else f"matches {tag[:20]}",
                        pushed_at=NOW - timedelta(hours=7 * number),
                        size_bytes=106_000_000 + number,
                    )
                    for number, tag in enumerate(tags[keep:])
                ],
                kept=(
                    Kept("the newest 2 of build-*", tuple(tags[:keep])),
                    Kept("part of an index", (), (digest_of(f"{repository!a} part"),)),
                ),
            )
            for repository, tags in repositories.items()
        ),
        left_alone=(LeftAlone("broken", "its lists could not be read"),),
        notes=("rule 3 had no effect",),
        frees=FreedBytes(bytes=4_200_000_000),
    )


def usual(tags: int = 140) -> dict[str, Sequence[str]]:
    """Some repositories with tags as builds name them, a few with most of them."""
    return {
        name: [f"build-{number}-{digest_of(name + str(number))[7:15]}" for number in range(count)]
        for name, count in (
            ("web", tags),
            ("api", tags // 2),
            ("tools/migrate", tags // 5),
            ("cron", 3),
        )
    }
