"""Every reader either understands what it is given, or refuses it as it is documented.

Of the usual run, the inputs are the same each time; `python -m tests.fuzzing` seeks new ones.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.drawing import draws
from tests.fuzzing.mutation import mutate
from tests.fuzzing.readers import READERS, Reader

pytestmark = pytest.mark.slow(0.1)

SAMPLES = [(reader, sample) for reader in READERS.values() for sample in reader.samples]
SEEDS = [(reader, path) for reader in READERS.values() for path in reader.seeds]

every_reader = pytest.mark.parametrize("reader", READERS.values(), ids=READERS)


@pytest.mark.parametrize(("reader", "sample"), SAMPLES, ids=[reader.name for reader, _ in SAMPLES])
def test_a_sample_is_understood(reader: Reader, sample: bytes):
    assert reader.understands(sample)


@pytest.mark.parametrize(
    ("reader", "path"), SEEDS, ids=[f"{reader.name}-{path.name}" for reader, path in SEEDS]
)
def test_what_was_once_read_wrongly_is_understood_or_refused(reader, path):
    reader.understands(path.read_bytes())


@every_reader
def test_a_sample_with_changes_is_understood_or_refused(reader):
    @settings(draws(60), suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(reader.samples), st.randoms(use_true_random=False))
    def check(sample, random):
        reader.understands(mutate(sample, random, reader.samples))

    check()


@every_reader
def test_any_bytes_are_understood_or_refused(reader):
    @settings(draws(20), suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
    def check(document):
        reader.understands(document)

    check()
