"""The control route: faults at run time, for whoever is on this machine."""

import ipaddress

from aiohttp import web

from aioregistry.sandbox.faults import Faults

PATH = "/_sandbox/faults"


def is_local(address: str | None) -> bool:
    """Whether a peer's address, or a host name to listen on, is of this machine only."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


async def control(request: web.BaseRequest, faults: Faults) -> tuple[Faults, web.Response]:
    """Answer a request to the control route.

    ``GET`` shows the faults, ``PUT`` replaces them, ``DELETE`` ends them.

    Args:
        request: The request, whose peer may be anyone.
        faults: The present ones.

    Returns:
        The new faults, and the answer.
    """
    if not is_local(request.remote):
        return faults, web.json_response({"error": "only for this machine"}, status=403)
    match request.method:
        case "GET":
            return faults, web.json_response(faults.as_json())
        case "DELETE":
            return Faults(), web.Response(status=204)
        case "PUT":
            try:
                faults = Faults.from_json(await request.json())
            except ValueError as error:
                return faults, web.json_response({"error": str(error)}, status=422)
            return faults, web.json_response(faults.as_json())
        case _:
            return faults, web.json_response({"error": "GET, PUT or DELETE"}, status=405)
