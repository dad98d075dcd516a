"""What both services share: the policy, the caps, where plans are kept, and the client."""

import os
import re
from functools import partial
from pathlib import Path

from aioregistry import RateLimit, RegistryClient
from aioregistry.cleanup import Caps, Delete, KeepNewest, Policy, ask_sources
from aioregistry.web import Jobs

POLICY = Policy([KeepNewest(20, tags="pr-*"), Delete(tags="pr-*")])
CAPS = Caps(max_fraction=float(os.environ.get("MAX_FRACTION", "0.5")))
HOSTS = {"127.0.0.1", "localhost", "[::1]", *os.environ.get("HOSTS", "").lower().split()}
PROBES = {"/alive", "/ready"}  # Kubernetes sends them to the address of a pod.
# Asked before each plan, and again before it is carried out: digitalocean, in-cluster, files.
IN_USE = os.environ.get("IN_USE", "").split()
PLANS = Path(os.environ.get("PLANS", "plans"))


def make_client():
    # People wait five seconds for quota at most, and go first; jobs wait as long as it takes.
    return RegistryClient(rate_limit=RateLimit(max_wait=5.0, bulk_may_wait=True))


def make_jobs():
    if url := os.environ.get("JOBS_URL"):
        # By a server of Redis or Valkey, each replica shows, follows and cancels the jobs of all.
        from aioregistry.web.redis import RedisJobStore

        return Jobs(store=RedisJobStore(url))
    return Jobs(PLANS / "reports")


def in_use(client):
    return partial(ask_sources, IN_USE, client)


def is_from_elsewhere(request, path):
    # Other sites' pages can send requests, too, from the browser of somebody who is let in here;
    # and have their name lead here, so that only the name tells a browser's requests apart.
    host = request.headers.get("Host", "").lower()
    if re.sub(r":\d*$", "", host) not in HOSTS:
        return path not in PROBES
    if request.method in {"GET", "HEAD"}:
        return False
    # Old browsers send an Origin alone, programs neither.
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site not in {"none", "same-origin"}
    origin = request.headers.get("Origin")
    return origin is not None and origin.lower().partition("://")[2] != host
