"""A Dockerfile: small, pinned, and run by nobody in particular. Pure."""

from aioregistry.cli.deploy.source import Source

__all__ = ["dockerfile_of"]

_STATE = "/var/lib/aioregistry"


def dockerfile_of(base: str, source: Source) -> str:
    """Return the Dockerfile of an image with the program alone.

    Args:
        base: The image that it is built on, which has Python 3.11 or newer with venv.
        source: Where the program is installed from.
    """
    return f"""\
# docker build -t registry.digitalocean.com/REGISTRY/aioregistry - < Dockerfile
# docker run --rm -v ./policy.toml:/policy.toml:ro -v state:{_STATE} -e DIGITALOCEAN_TOKEN \\
#   registry.digitalocean.com/REGISTRY/aioregistry cleanup plan --policy /policy.toml
# Pin the base by its digest: docker build --build-arg BASE=NAME@sha256:...
ARG BASE={base}

FROM ${{BASE}} AS build
ARG PACKAGE="{source.requirement("cli,kubernetes,redis")}"
RUN python3 -m venv /opt/aioregistry \\
 && /opt/aioregistry/bin/pip install --no-cache-dir --no-compile "$PACKAGE" \\
 && /opt/aioregistry/bin/pip uninstall --yes setuptools pip

FROM ${{BASE}}
COPY --from=build /opt/aioregistry /opt/aioregistry
ENV PATH=/opt/aioregistry/bin:/usr/local/bin:/usr/bin:/bin \\
    PYTHONDONTWRITEBYTECODE=1 \\
    HOME=/tmp \\
    AIOREGISTRY_STATE_DIR={_STATE}/state \\
    XDG_CACHE_HOME={_STATE}/cache
RUN mkdir -p {_STATE} && chown 65532:65532 {_STATE} && chmod 700 {_STATE}
VOLUME {_STATE}
USER 65532:65532
ENTRYPOINT ["aioregistry"]
CMD ["--help"]
"""
