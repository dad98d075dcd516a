"""What a web service needs around a client: problems, long jobs, health; aiohttp and FastAPI."""

from aioregistry.web.health import Health, HealthStatus
from aioregistry.web.jobs import Job, Jobs, JobStatus, ServiceStoppingError
from aioregistry.web.problems import Problem
from aioregistry.web.reports import (
    JobStore,
    JobStoreError,
    JobStoreRefusedError,
    SharedJobStore,
    StoredJob,
)

__all__ = [
    "Health",
    "HealthStatus",
    "Job",
    "JobStatus",
    "JobStore",
    "JobStoreError",
    "JobStoreRefusedError",
    "Jobs",
    "Problem",
    "ServiceStoppingError",
    "SharedJobStore",
    "StoredJob",
]
