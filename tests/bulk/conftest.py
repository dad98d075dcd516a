"""What the tests of bulk deletes share."""

import pytest

from tests.bulk.registry import Registry


@pytest.fixture
def registry() -> Registry:
    return Registry()
