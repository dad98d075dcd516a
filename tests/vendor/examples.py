"""The examples of the vendor's description, copied by hand, its slips included.

Where the description gives an example for a whole answer, that is what stands here. Where it
gives one for each property only, the answer is put together from those.
"""

DIGEST = "sha256:cb8a924afdf0229ef7515d9e5b3024e23b3eb03ddbba287f4a19c6ac90b8d221"
UUID = "eff0feee-49c7-4e8f-ba5c-a320c109c8a8"
PAGE_TOKEN = "JPZmZzZXQiOjB9"
DOCKER_TOKEN = "b7d03a6947b217efb6f3ec3bd3504582"
DOCKER_AUTH = (
    "YjdkMDNhNjk0N2IyMTdlZmI2ZjNlYzNiZDM1MDQ1ODI6YjdkMDNhNjk0N2IyMTdlZmI2ZjNlYzNiZDM1MDQ1ODIK"
)

TIER = {
    "name": "Basic",
    "slug": "basic",
    "included_repositories": 5,
    "included_storage_bytes": 5368709120,
    "allow_storage_overage": True,
    "included_bandwidth_bytes": 5368709120,
    "monthly_price_in_cents": 500,
    "storage_overage_price_in_cents": 2,
}
SUBSCRIPTION = {
    "tier": TIER,
    "created_at": "2020-01-23T21:19:12Z",
    "updated_at": "2020-11-05T15:53:24Z",
}
MULTIREGISTRY = {
    "name": "example",
    "created_at": "2020-03-21T16:02:37Z",
    "region": "fra1",
    "storage_usage_bytes": 29393920,
    "storage_usage_bytes_updated_at": "2020-11-04T21:39:49.530562231Z",
}
REGISTRY = {**MULTIREGISTRY, "subscription": SUBSCRIPTION}
CREDENTIALS = {"auths": {"registry.digitalocean.com": {"auth": DOCKER_AUTH}}}
OPTIONS = {
    "available_regions": ["nyc3", "sfo3", "ams3", "sgp1", "fra1"],
    "subscription_tiers": [
        {
            "name": "Starter",
            "slug": "starter",
            "included_repositories": 1,
            "included_storage_bytes": 524288000,
            "allow_storage_overage": False,
            "included_bandwidth_bytes": 524288000,
            "monthly_price_in_cents": 0,
            "eligible": False,
            "eligibility_reasons": ["OverRepositoryLimit"],
        },
        {
            "name": "Basic",
            "slug": "basic",
            "included_repositories": 5,
            "included_storage_bytes": 5368709120,
            "allow_storage_overage": True,
            "included_bandwidth_bytes": 5368709120,
            "monthly_price_in_cents": 500,
            "eligible": True,
        },
        {
            "name": "Professional",
            "slug": "professional",
            "included_repositories": 0,
            "included_storage_bytes": 107374182400,
            "allow_storage_overage": True,
            "included_bandwidth_bytes": 107374182400,
            "monthly_price_in_cents": 2000,
            "eligible": True,
        },
    ],
}
TAG = {
    "registry_name": "example",
    "repository": "repo-1",
    "tag": "latest",
    "manifest_digest": DIGEST,
    "compressed_size_bytes": 2803255,
    "size_bytes": 5861888,
    "updated_at": "2020-04-09T23:54:25Z",
}
MANIFEST = {
    "digest": DIGEST,
    "registry_name": "example",
    "repository": "repo-1",
    "compressed_size_bytes": 1972332,
    "size_bytes": 2816445,
    "updated_at": "2021-04-09T23:54:25Z",
    "tags": ["v1", "v2"],
    "blobs": [
        {
            "digest": "sha256:14119a10abf4669e8cdbdff324a9f9605d99697215a0d21c360fe8dfa8471bab",
            "compressed_size_bytes": 1471,
        },
        {
            "digest": "sha256:a0d0a0d46f8b52473982a3c466318f479767577551a53ffc9074c9fa7035982e",
            "compressed_size_byte": 2814446,
        },
        {
            "digest": "sha256:69704ef328d05a9f806b6b8502915e6a0a4faa4d72018dc42343f511490daf8a",
            "compressed_size_bytes": 528,
        },
    ],
}
REPOSITORY_V1 = {
    "registry_name": "example",
    "name": "repo-1",
    "latest_tag": TAG,
    "tag_count": 1,
}
REPOSITORY = {
    "registry_name": "example",
    "name": "repo-1",
    "tag_count": 57,
    "manifest_count": 82,
    "latest_manifest": MANIFEST,
}
GARBAGE_COLLECTION = {
    "uuid": UUID,
    "registry_name": "example",
    "status": "requested",
    "created_at": "2020-10-30T21:03:24Z",
    "updated_at": "2020-10-30T21:03:44Z",
    "blobs_deleted": 42,
    "freed_bytes": 667,
}
PAST_GARBAGE_COLLECTION = {
    **GARBAGE_COLLECTION,
    "created_at": "2020-10-30T21:03:24.000Z",
    "updated_at": "2020-10-30T21:03:44.000Z",
}

V2_PAGES = "https://api.digitalocean.com/v2/registry/example/repositoriesV2"
DIGEST_PAGES = "https://api.digitalocean.com/v2/registry/example/repositories/repo-1/digests"

LIST_REPOSITORIES_V1 = {"repositories": [REPOSITORY_V1], "meta": {"total": 1}}
LIST_REPOSITORIES = {
    "repositories": [REPOSITORY],
    "meta": {"total": 5},
    "links": {
        "pages": {
            "next": f"{V2_PAGES}?page=2&page_token={PAGE_TOKEN}&per_page=1",
            "last": f"{V2_PAGES}?page=5&per_page=1",
        },
    },
}
LIST_TAGS = {"tags": [TAG], "meta": {"total": 1}}
LIST_MANIFESTS = {
    "manifests": [MANIFEST],
    "meta": {"total": 3},
    "links": {
        "pages": {
            "first": f"{DIGEST_PAGES}?page=1&per_page=1",
            "prev": f"{DIGEST_PAGES}?page=1&per_page=1",
            "next": f"{DIGEST_PAGES}?page=3&per_page=1",
            "last": f"{DIGEST_PAGES}?page=3&per_page=1",
        },
    },
}
LIST_GARBAGE_COLLECTIONS = {
    "garbage_collections": [PAST_GARBAGE_COLLECTION],
    "meta": {"total": 1},
}

RATE_LIMIT_HEADERS = {
    "ratelimit-limit": "5000",
    "ratelimit-remaining": "4816",
    "ratelimit-reset": "1444931833",
}

BAD_REQUEST = {
    "id": "bad_request",
    "message": "error parsing request body",
    "request_id": "4851a473-1621-42ea-b2f9-5071c0ea8414",
}
UNAUTHORIZED = {"id": "unauthorized", "message": "Unable to authenticate you."}
NOT_FOUND = {"id": "not_found", "message": "The resource you requested could not be found."}
CONFLICT = {
    "id": "conflict",
    "message": "The request could not be completed due to a conflict.",
}
MANY_REGISTRIES = {
    "id": "precondition_failed",
    "message": (
        "This API is not supported if you have created multiple registries. Please use \n"
        "‘/v2/registries/{registry_name}’ instead. Refer to \n"  # noqa: RUF001 - the vendor's own
        "https://docs.digitalocean.com/reference/api/digitalocean/#tag/Container-Registry "
        "for more info."
    ),
}
OVER_LIMIT = {
    "id": "precondition_failed",
    "message": "registry is not eligible for tier because: [OverRegistryLimit]",
}
TOO_MANY_REQUESTS = {"id": "too_many_requests", "message": "API rate limit exceeded."}
SERVER_ERROR = {"id": "server_error", "message": "Unexpected server-side error"}
UNEXPECTED = {"id": "example_error", "message": "some error message"}
