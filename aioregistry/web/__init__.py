"""What a web service needs around a client: problems, long jobs, health; aiohttp and FastAPI."""

from aioregistry.web.health import Health, HealthStatus
from aioregistry.web.jobs import Job, Jobs, JobStatus, ServiceStoppingError
from aioregistry.web.problems import Problem

__all__ = [
    "Health",
    "HealthStatus",
    "Job",
    "JobStatus",
    "Jobs",
    "Problem",
    "ServiceStoppingError",
]
