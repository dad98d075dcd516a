"""What is nested almost too deeply to be read is not too deep for what is done with it then."""

import pytest

from aioregistry.api.names import check_digest, check_tag
from aioregistry.cli.docker.config import DockerConfig, DockerConfigError
from aioregistry.errors import InvalidNameError
from tests.fuzzing.readers import READERS
from tests.fuzzing.readers.cleanup import A

pytestmark = pytest.mark.slow(0.3)

NESTED = {
    "manifests": '{{"manifests": [{{"digest": {}}}]}}',
    "in-use": '{{"kind": "Pod", "metadata": {{"name": {}}}, "spec": {{}}}}',
    "policy-json": '{{"rules": [{{"keep": true, "name": {}}}]}}',
    "policy-toml": "[[rules]]\nkeep = true\nname = {}\n",
    "docker-config": '{{"x": {}}}',
    "state": '{{"format": {}}}',
    "plan": '{{"format": {}}}',
    "tokens": '{{"token": {}}}',
}


@pytest.mark.parametrize("reader", NESTED)
def test_what_is_nested_about_as_deeply_as_can_be_read_is_understood_or_refused(reader):
    for depth in range(900, 980, 2):
        document = NESTED[reader].format("[" * depth + "]" * depth)
        READERS[reader].understands(document.encode())


def test_a_docker_configuration_too_deep_to_be_written_leaves_the_file_as_it_is(tmp_path):
    path = tmp_path / "config.json"
    path.write_text("{}")
    nested = {}
    for _ in range(5_000):
        nested = {"x": nested}
    with pytest.raises(DockerConfigError):
        DockerConfig(nested).save(path)
    assert [path] == list(tmp_path.iterdir())
    assert path.read_text() == "{}"


@pytest.mark.parametrize("check", [check_tag, check_digest])
def test_what_is_nested_without_end_is_no_name(check):
    nested = A
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(InvalidNameError):
        check(nested)
