"""Which media types a client accepts."""

import pytest

from aioregistry.sandbox.calls.accept import accepts

OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.mark.parametrize(
    ("lines", "accepted"),
    [
        ([], True),
        ([""], True),
        ([OCI], True),
        ([DOCKER], False),
        ([DOCKER, OCI], True),
        ([OCI, DOCKER], True),
        ([f"{DOCKER}, {OCI}"], True),
        (["*/*"], True),
        (["application/*"], True),
        (["text/*"], False),
        (["application/*;q=0, */*"], False),
        ([f"{OCI};q=0", "*/*"], False),
        ([f"{OCI}; q=0.5"], True),
        ([f"{OCI};Q=0.000"], False),
        ([f"{OCI};charset=utf-8;q=1"], True),
        ([OCI.upper()], True),
        ([f"{OCI};q=nonsense"], False),
        ([f"{OCI}x"], False),
        ([f"{OCI};q=0", OCI], True),
    ],
)
def test_the_most_specific_entry_of_all_lines_decides(lines, accepted):
    assert accepts(lines, OCI) is accepted
