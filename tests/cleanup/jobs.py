"""Clean-ups of one sandbox, planned and applied."""

from datetime import timedelta

from aioregistry import RegistryClient
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import Delete, Keep
from aioregistry.cleanup.policy.untagged_rules import DeleteUntagged
from aioregistry.cleanup.records.report import CleanupReport, ItemOutcome
from aioregistry.sandbox import Sandbox
from tests.cleanup.registries import NOW, Builder

DELETE_ALL = Policy([Keep(tags="keep*"), Delete(), DeleteUntagged(timedelta())], floor=0)


class Job:
    """Plans and applies on one sandbox."""

    def __init__(self, sandbox: Sandbox, client: RegistryClient, contents: ContentSource) -> None:
        self.sandbox = sandbox
        self.registry = client.registry("example")
        self.contents = contents
        self.builder = Builder(sandbox.state)

    async def plan(self, policy: Policy = DELETE_ALL) -> Plan:
        return await make_plan(self.registry, policy, self.contents, now=NOW)

    async def apply(self, plan: Plan, **more) -> CleanupReport:
        options = {"force": True} | more
        return await apply_plan(self.registry, plan, self.contents, **options)

    def tags(self, repository: str = "web") -> set[str]:
        registry = self.sandbox.state.registry("example")
        held = registry.repositories.get(repository)
        return set() if held is None else set(held.tags)

    def deletes(self) -> list[str]:
        return [one.raw_path for one in self.sandbox.requests if one.method == "DELETE"]


def names(settled: tuple[ItemOutcome, ...]) -> set[str]:
    """What things are called: by their first tag, or else by their digest."""
    return {one.item.tags[0] if one.item.tags else one.item.digest for one in settled}
