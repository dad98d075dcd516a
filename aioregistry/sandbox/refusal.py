"""The API's errors, as plain data."""

import attrs

SEVERAL_REGISTRIES = (
    "This API is not supported if you have created multiple registries. Please use \n"
    "‘/v2/registries/{registry_name}’ instead. Refer to \n"  # noqa: RUF001  (the API's own quotes)
    "https://docs.digitalocean.com/reference/api/digitalocean/#tag/Container-Registry"
    " for more info."
)


@attrs.frozen
class Refusal(Exception):  # noqa: N818  (an answer, not a defect)
    """A call that the API answers with an error.

    Attributes:
        status: The HTTP status.
        error_id: The ``id`` of the error body.
        message: The ``message`` of the error body.
    """

    status: int
    error_id: str
    message: str


def bad_request(message: str) -> Refusal:
    """400: a query or a body that cannot be read."""
    return Refusal(400, "bad_request", message)


def unauthorized() -> Refusal:
    """401: no token, or a wrong one."""
    return Refusal(401, "unauthorized", "Unable to authenticate you.")


def not_found() -> Refusal:
    """404: no such route or no such thing."""
    return Refusal(404, "not_found", "The resource you requested could not be found.")


def conflict(message: str) -> Refusal:
    """409: it exists already."""
    return Refusal(409, "conflict", message)


def precondition_failed(message: str) -> Refusal:
    """412: the account or the registry is not in a state for this call."""
    return Refusal(412, "precondition_failed", message)


def method_not_allowed() -> Refusal:
    """405: the route has no such method."""
    return Refusal(405, "method_not_allowed", "The method is not allowed for this resource.")


def rate_limited() -> Refusal:
    """429: a quota is spent."""
    return Refusal(429, "too_many_requests", "API Rate limit exceeded.")


def unprocessable(message: str) -> Refusal:
    """422: a body that can be read, with a value that cannot be used."""
    return Refusal(422, "unprocessable_entity", message)
