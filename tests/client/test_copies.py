"""Clients and handles in other processes."""

import copy
import pickle

import pytest

from aioregistry import RegistryClient


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy])
async def test_what_belongs_to_an_open_client_says_why_it_cannot_be_copied(client, copied):
    registry = client.registry("example")
    for each in (client, registry, registry.repository("web")):
        with pytest.raises(TypeError, match="open a client of its own in each process"):
            copied(each)


@pytest.mark.parametrize("copied", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])
async def test_a_client_that_was_not_opened_goes_to_another_process(sandbox, copied):
    async with copied(RegistryClient(sandbox.token, base_url=sandbox.url)) as given:
        assert (await given.get_registry()).name == "example"


def test_what_newer_pythons_do_not_pickle_is_in_no_client():
    assert b"itertools" not in pickle.dumps(RegistryClient("a-token"))
