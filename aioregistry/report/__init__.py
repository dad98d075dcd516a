"""Pages of usage and of plans: one file each, which needs no network and nobody's trust.

Needs the extra ``report``.
"""

from aioregistry.report.plan_page import plan_page
from aioregistry.report.render import MissingExtraError
from aioregistry.report.usage_page import GROUPS, usage_page

__all__ = ["GROUPS", "MissingExtraError", "plan_page", "usage_page"]
