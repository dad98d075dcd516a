"""What a web service needs around a client: problems, long jobs, health; aiohttp and FastAPI."""

from aioregistry.web.health import Health
from aioregistry.web.jobs import Job, Jobs, JobStatus
from aioregistry.web.problems import Problem

__all__ = ["Health", "Job", "JobStatus", "Jobs", "Problem"]
