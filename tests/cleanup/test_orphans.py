"""Signatures and the like: with a subject, without one, named by a rule, in use."""

from datetime import timedelta

import pytest

from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import Delete, Keep
from aioregistry.cleanup.policy.untagged_rules import DeleteOrphaned, DeleteUntagged
from aioregistry.errors import ServerError
from aioregistry.sandbox import Fault, Faults
from tests.cleanup.registries import NOW, Builder, digest_of, signature_tag
from tests.cleanup.sources import StateContents

GONE = digest_of("gone")
ABOUT = Delete(tags="sha256-*")


@pytest.fixture
def web(sandbox) -> Builder:
    builder = Builder(sandbox.state)
    builder.image("v1.0.0")
    return builder


async def planned(client, web: Builder, *rules, contents=None, **options) -> Plan:
    contents = StateContents(web.state) if contents is None else contents
    policy = Policy(rules, floor=0)
    return await make_plan(client.registry("example"), policy, contents, now=NOW, **options)


def condemned(plan: Plan) -> set[str]:
    return {name for _, item in plan.condemned for name in (item.digest, *item.tags)}


def kept(plan: Plan) -> dict[str, str]:
    return {tag: one.reason for repo in plan.repositories for one in repo.kept for tag in one.tags}


@pytest.mark.parametrize("suffix", [".sig", ".att", ".sbom", ""])
async def test_an_orphan_goes_by_its_rule_alone(client, web, suffix):
    web.signature(GONE, suffix)
    assert not condemned(await planned(client, web, Delete(), DeleteUntagged()))
    assert signature_tag(GONE, suffix) in condemned(await planned(client, web, DeleteOrphaned()))


async def test_an_orphaned_index_takes_its_referrers_along(client, web):
    referrer = web.referrer(GONE)
    index = web.index(signature_tag(GONE, ""), children=[referrer])
    assert condemned(await planned(client, web, DeleteOrphaned())) == {
        index,
        referrer,
        signature_tag(GONE, ""),
    }


async def test_an_untagged_orphan_goes_and_a_young_one_stays(client, web):
    old, young = web.referrer(GONE), web.referrer(GONE, days=0)
    assert condemned(await planned(client, web, DeleteOrphaned())) == {old}
    rules = DeleteOrphaned(timedelta(days=200)), DeleteUntagged(timedelta())
    assert condemned(await planned(client, web, *rules)) >= {old}
    assert young not in condemned(await planned(client, web, DeleteOrphaned()))


@pytest.mark.parametrize("rule", [ABOUT, DeleteOrphaned(timedelta())])
async def test_the_signature_of_an_image_that_stays_stays_whatever_the_rule(client, web, rule):
    image = web.image("stable")
    web.signature(image)
    plan = await planned(client, web, rule)
    assert not condemned(plan)
    if rule is ABOUT:
        why = f"signature of {image[:19]} (stable), which is kept"
        assert kept(plan)[signature_tag(image)] == why


async def test_a_signature_may_be_kept_longer_than_its_image(client, web):
    image = web.image("pr-1")
    signature = web.signature(image)
    plan = await planned(client, web, Keep(tags="*.sig"), Delete(tags="pr-*"))
    assert image in condemned(plan)
    assert signature not in condemned(plan)


async def test_an_orphan_in_use_stays(client, web):
    web.signature(GONE)
    reference = f"example/web:{signature_tag(GONE)}"
    plan = await planned(client, web, DeleteOrphaned(), in_use=[reference])
    assert not condemned(plan)
    assert kept(plan)[signature_tag(GONE)] == "in use: given as in use"


def exists(reference: str) -> str:
    return reference


def is_unknown(_: str) -> str:
    raise ServerError("busy", status=503)


@pytest.mark.parametrize("look", [exists, is_unknown])
async def test_a_subject_that_is_merely_not_listed_means_a_short_list(client, web, look):
    web.signature(GONE)

    class Looking(StateContents):
        async def current_digest(self, repository, reference):
            return look(reference)

    plan = await planned(client, web, DeleteOrphaned(), contents=Looking(web.state))
    assert not condemned(plan)
    assert GONE in plan.left_alone[0].reason


@pytest.mark.parametrize("suffix", [".sig", ""])
async def test_signatures_in_a_repository_of_their_own_stay_with_their_subjects(
    client, web, suffix
):
    signatures = Builder(web.state, "signatures")
    signatures.signature(GONE)
    signatures.signature(web.image("main"), suffix)
    plan = await planned(client, web, DeleteOrphaned())
    assert signature_tag(GONE) in condemned(plan)
    assert len(condemned(plan)) == 2
    assert "its subject is, or may be, in another repository" in kept(plan).values()


async def test_no_orphan_is_certain_while_a_repository_cannot_be_listed(client, web, sandbox):
    web.signature(GONE)
    page = '{"repositories": [{"name": "web"}, {"name": "Odd//Name"}], "meta": {"total": 2}}'
    sandbox.faults = Faults(Fault(kind="body", route="*/repositoriesV2", body=page))
    plan = await planned(client, web, DeleteOrphaned())
    assert not condemned(plan)
    assert plan.left_alone
