"""The link to a list's next page, in every form that the grammar allows."""

import pytest
from multidict import CIMultiDict

from aioregistry import InvalidResponseError
from aioregistry.oci.links import next_query


@pytest.mark.parametrize(
    "link",
    [
        '</v2/x?n=1>; rel="next"',
        "</v2/x?n=1>; rel=next",
        "</v2/x?n=1>;rel=next",
        '</v2/x?n=1> ; rel = "next"',
        '</v2/x?n=1>; REL="Next"',
        '</v2/x?n=1>; rel="last next"',
        '</v2/x?n=1>; title="a, <b>; \\" c"; rel="next"',
        "</v2/x?n=1>; title*=UTF-8''x; hreflang; rel=\"next\"",
        '</v2/x?n=0>; rel="first", </v2/x?n=1>; rel="next"',
        ', </v2/x?n=0>; rel="first",, </v2/x?n=1>; rel="next" ,',
        '</v2/x?n=1>; rel="next";',
        '<https://elsewhere.test/y?n=1#z>; rel="next"',
        '<?n=1>; rel="next"',
    ],
)
def test_the_query_of_the_next_page(link):
    assert next_query({"Link": link}) == "n=1"


@pytest.mark.parametrize(
    "link",
    [
        "",
        " , ",
        '</v2/x?n=1>; rel="prev"',
        "</v2/x?n=1>",
        '</v2/x?n=1>; rel="nextpage"',
        '</v2/x?n=1>; title="rel=next"',
        # Of several the first counts.
        '</v2/x?n=1>; rel="prev"; rel="next"',
    ],
)
def test_without_a_next_page_there_is_none(link):
    assert next_query({"Link": link}) is None


def test_each_header_of_the_name_is_read():
    several = CIMultiDict([("link", '</a?n=0>; rel="first"'), ("Link", '</a?n=1>; rel="next"')])
    assert next_query(several) == "n=1"
    assert next_query(CIMultiDict()) is None


@pytest.mark.parametrize(
    "link",
    [
        '/v2/x?n=1; rel="next"',
        '</v2/x?n=1; rel="next"',
        '</v2/x?n=1>; rel="next',
        '</v2/x?n=1> rel="next"',
        '</v2/x?n=1>; title=a b; rel="next"',
        '</v2/x?n=1 2>; rel="next"',
        '</v2/x>; rel="next"',
    ],
)
def test_what_cannot_be_read_is_an_error(link):
    with pytest.raises(InvalidResponseError):
        next_query({"Link": link})
