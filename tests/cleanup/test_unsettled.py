"""What becomes of an item whose DELETE was sent and not answered."""

from aioregistry import RegistryError
from aioregistry.cleanup import ContentReader, Delete, Distribution, Policy, apply_plan, make_plan
from aioregistry.sandbox import Fault, Faults
from tests.cleanup.registries import NOW, Builder


async def test_a_tag_that_is_gone_after_a_delete_without_an_answer_is_deleted(sandbox, client):
    builder = Builder(sandbox.state)
    builder.image("a", "keep")
    registry = client.registry("example")
    async with Distribution(registry, base_url=sandbox.url) as distribution:
        contents = ContentReader(distribution)
        plan = await make_plan(registry, Policy([Delete(tags="a")]), contents, now=NOW)
        sandbox.faults = Faults(Fault(kind="lost", method="DELETE", times=1))
        report = await apply_plan(registry, plan, contents, force=True)
    assert [item.delete for _, item in plan.condemned] == ["tag"]
    assert str(report) == "1 deleted"


async def test_what_cannot_be_looked_at_after_a_delete_without_an_answer_is_unknown(
    sandbox, client, monkeypatch
):
    builder = Builder(sandbox.state)
    digest = builder.image("a")
    builder.image("keep")
    looks = [digest]

    async def current_digest(*_: str) -> str:
        if not looks:
            raise RegistryError("the registry is down")
        return looks.pop()

    registry = client.registry("example")
    async with Distribution(registry, base_url=sandbox.url) as distribution:
        contents = ContentReader(distribution)
        plan = await make_plan(registry, Policy([Delete(tags="a")], floor=0), contents, now=NOW)
        sandbox.faults = Faults(Fault(kind="lost", method="DELETE", times=1))
        monkeypatch.setattr(contents, "current_digest", current_digest)
        report = await apply_plan(registry, plan, contents, force=True)
    assert str(report) == "1 unknown, 1 repositories not checked for pushes meanwhile" or (
        str(report) == "1 unknown"
    )
    assert report.unknown[0].reason == "the registry cannot be asked: the registry is down"
