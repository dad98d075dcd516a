"""What both services share: the policy, the caps, where plans are kept, and the client."""

import os
from pathlib import Path

from aioregistry import RateLimit, RegistryClient
from aioregistry.cleanup import Caps, Delete, KeepNewest, Policy
from aioregistry.web import Jobs

POLICY = Policy([KeepNewest(20, tags="pr-*"), Delete(tags="pr-*")])
CAPS = Caps(max_fraction=float(os.environ.get("MAX_FRACTION", "0.5")))
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


def is_from_elsewhere(request):
    # Other sites' pages can send requests, too, from the browser of somebody who is let in here.
    changes = request.method not in {"GET", "HEAD"}
    return changes and request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}
