"""A state on its way to a JSON file and back."""

import json

import pytest

from aioregistry.sandbox.seed import generated_state
from aioregistry.sandbox.statefile import load_state, save_state, state_from_json, state_to_json


def test_a_state_comes_back_from_its_file_as_it_was(tmp_path):
    state = generated_state(200, 3)
    state.subscribe("professional")
    state.add_cluster("blue").run("example/web:1")
    state.clusters["blue"].state = "upgrading"
    state.apps.append({"id": "1", "spec": {"name": "shop"}})
    save_state(state, tmp_path / "state.json")
    again = load_state(tmp_path / "state.json")
    assert state_to_json(again) == state_to_json(state)
    assert again.tier.slug == "professional"
    assert again.clusters["blue"].objects == state.clusters["blue"].objects
    assert again.clusters["blue"].state == "upgrading"
    assert again.apps == state.apps
    assert again.registry("example").storage_bytes == state.registry("example").storage_bytes
    assert again.tag_names("example", "web") == state.tag_names("example", "web")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.update(format=2),
        lambda content: content.pop("tier"),
        lambda content: content.update(tier="gold"),
        lambda content: content.update(clusters=[{"name": "blue"}]),
        lambda content: content.update(apps=[5]),
        lambda content: content["registries"][0].update(name="No"),
        lambda content: content["registries"][0].update(blobs={}),
        lambda content: content["registries"][0].update(blobs={"sha256:x": 1}),
        lambda content: content["registries"][0]["repositories"][0].update(manifests=[None]),
    ],
)
def test_what_is_no_state_is_refused(spoil):
    content = json.loads(json.dumps(state_to_json(generated_state(3))))
    spoil(content)
    with pytest.raises(ValueError, match=r"state|format|missing"):
        state_from_json(content)


def test_a_state_can_be_given_a_clock():
    state = state_from_json(state_to_json(generated_state(1)), clock=lambda: 7.0)
    assert state.now() == 7_000_000
