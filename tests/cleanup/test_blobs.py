"""Blobs of manifests, packed."""

import pytest

from aioregistry.cleanup.manifests.blobs import (
    count_of,
    keys_of,
    pack_blobs,
    pack_digests,
    pack_keys,
    sizes_of,
)
from aioregistry.cleanup.manifests.content import subject_key

A, B, C = ("sha256:" + digit * 64 for digit in "abc")


def test_each_manifest_has_its_own_blobs():
    packed = pack_blobs([2, 0, 1], [A, B, A], [1, 2, 3])
    assert [count_of(blobs) for blobs in packed] == [2, 0, 1]
    a, b, again = keys_of(packed)
    assert a == again != b
    assert list(keys_of(packed[2:])) == [a]
    assert list(sizes_of(packed)) == [1, 2, 3]


@pytest.mark.parametrize(
    "odd", ["", "sha256:zz", "what", "sha256:" + " a" * 32, "sha256:é", "a" * 99]
)
def test_whatever_a_server_calls_a_blob_has_a_key_of_its_own(odd):
    keys = pack_keys([A, odd, B])
    assert len(keys) == 24
    assert (keys[:8], keys[16:]) == (pack_keys([A]), pack_keys([B]))
    assert keys[8:16] == pack_keys([odd])


def test_a_subject_has_the_key_of_its_digest():
    long = "sha512:" + "a" * 64 + "b" * 64
    assert pack_keys([long]) == pack_keys([subject_key(long)])


@pytest.mark.parametrize("size", [2**63, 2**70])
def test_a_size_that_no_blob_can_have_is_not_known(size):
    assert list(sizes_of(pack_blobs([2], [A, B], [size, 5]))) == [0, 5]


def test_whole_digests_are_packed_in_their_order():
    assert pack_digests([B, A]) == b"\xbb" * 32 + b"\xaa" * 32
    assert pack_digests([]) == b""


@pytest.mark.parametrize(
    "odd",
    [
        [A.upper()],
        [A[7:]],
        ["sha256:" + " a" * 32],
        ["sha256:" + "g" * 64],
        ["sha512:" + "a" * 128],
        # As long together as two that are none by themselves.
        [A + "sha256:", "b" * 64],
        ["x" * 7 + "a" * 64],
    ],
)
def test_what_is_no_digest_of_sha256_is_not_packed(odd):
    with pytest.raises(ValueError, match=r"digest|hexadecimal"):
        pack_digests([C, *odd, C])
