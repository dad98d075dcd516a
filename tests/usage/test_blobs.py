"""Numbers and sizes of blobs, for the usage of storage."""

import pytest

from aioregistry.usage.blobs import BlobSizes

DIGEST = "sha256:" + "5" * 64


def test_a_blob_keeps_its_number():
    sizes = BlobSizes()
    assert sizes.number_of(DIGEST, 5) == sizes.number_of(DIGEST, 5)
    assert sizes.number_of(DIGEST.replace("5", "6"), 7) != sizes.number_of(DIGEST)


def test_a_size_that_is_told_later_is_taken_in():
    sizes = BlobSizes()
    number = sizes.number_of(DIGEST)
    assert sizes.size_of(number) is None
    sizes.number_of(DIGEST, 12)
    assert sizes.size_of(number) == 12


def test_a_size_of_zero_is_not_known():
    sizes = BlobSizes()
    assert sizes.size_of(sizes.number_of(DIGEST, 0)) is None


@pytest.mark.parametrize("digest", ["", "sha256:zz", "sha512:" + "0" * 128, "what"])
def test_whatever_a_server_calls_a_blob_has_a_number(digest):
    sizes = BlobSizes()
    assert sizes.size_of(sizes.number_of(digest, 3)) == 3


def test_the_first_size_that_was_told_stays():
    sizes = BlobSizes()
    number = sizes.number_of(DIGEST, 12)
    sizes.number_of(DIGEST, 13)
    assert sizes.size_of(number) == 12


def test_a_size_of_zero_that_is_told_later_is_not_known():
    sizes = BlobSizes()
    number = sizes.number_of(DIGEST)
    sizes.number_of(DIGEST, 0)
    assert sizes.size_of(number) is None


def test_many_blobs_have_numbers_of_their_own():
    sizes = BlobSizes()
    digests = [f"sha256:{number:064x}" for number in range(2000)]
    numbers = [sizes.number_of(digest, nth) for nth, digest in enumerate(digests, 1)]
    assert numbers == list(range(2000))
    assert sizes.numbers_of(digests, [None] * 2000) == numbers
    assert [sizes.size_of(number) for number in numbers] == list(range(1, 2001))
    assert all(sizes.has_subject(digest) for digest in digests)
    assert not sizes.has_subject(f"sha256:{2000:064x}")
    assert len(sizes) == 2000


def test_a_subject_is_known_by_the_beginning_of_a_long_digest():
    sizes = BlobSizes()
    sizes.number_of("sha512:" + "a" * 64 + "b" * 64)
    assert sizes.has_subject("sha512:" + "a" * 64)
    assert not sizes.has_subject("sha512:" + "b" * 64)


@pytest.mark.parametrize("size", [-1, 2**63, 2**70])
def test_a_size_that_no_blob_can_have_is_not_known(size):
    sizes = BlobSizes()
    assert sizes.size_of(sizes.number_of(DIGEST, size)) is None
