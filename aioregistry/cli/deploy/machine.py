"""A timer of systemd, and a line of a crontab: a run on one machine. Pure."""

from attrs import frozen

from aioregistry.cli.deploy.plan import CODES, Deployment

__all__ = ["crontab_of", "units_of"]


@frozen
class _Places:
    """Where a deployment has its files: those of another one on the machine are elsewhere."""

    folder: str
    state: str
    cache: str

    @classmethod
    def of(cls, name: str) -> "_Places":
        below = f"aioregistry/{name}"
        return cls(f"/etc/{below}", f"/var/lib/{below}", f"/var/cache/{below}")


def units_of(deployment: Deployment, program: str) -> dict[str, str]:
    """Return a service and its timer, for ``/etc/systemd/system``.

    Args:
        deployment: The run.
        program: The path of the program.
    """
    name = deployment.name
    return {
        f"{name}.service": _service(deployment, program),
        f"{name}.timer": _timer(deployment),
    }


def _service(deployment: Deployment, program: str) -> str:
    places = _Places.of(deployment.name)
    # systemd knows %d as the folder of the credentials.
    line = deployment.line(f"{places.folder}/{deployment.policy_name}", program)
    command = f"{line} --token-file %d/token"
    codes = "".join(f"# {line}\n" for line in CODES)
    return f"""\
# {deployment.name}.service: one run of a clean-up.
# The policy is at {places.folder}/{deployment.policy_name},
# the API token in {places.folder}/token (chown root, chmod 600).
# Then: systemctl enable --now {deployment.name}.timer
{codes}[Unit]
Description=Clean up a container registry
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={command}
LoadCredential=token:{places.folder}/token
# May have AIOREGISTRY_NOTIFY, a command or the address of a webhook that is told how a run ended.
EnvironmentFile=-{places.folder}/environment
SuccessExitStatus=3
TimeoutStartSec=8h
# A run that is ended finishes what it has sent.
TimeoutStopSec=120
# Measured: a plan of 100,000 tags takes 165 MiB at its peak, one of a million 512 MiB.
MemoryMax=768M
Nice=10
DynamicUser=yes
StateDirectory=aioregistry/{deployment.name}
CacheDirectory=aioregistry/{deployment.name}
Environment=AIOREGISTRY_STATE_DIR={places.state} XDG_CACHE_HOME={places.cache} HOME={places.state}
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
LockPersonality=yes
CapabilityBoundingSet=
SystemCallFilter=@system-service
"""


def _timer(deployment: Deployment) -> str:
    return f"""\
# {deployment.name}.timer: when {deployment.name}.service runs.
[Unit]
Description=Clean up a container registry by itself

[Timer]
OnCalendar={deployment.when.calendar}
RandomizedDelaySec=10min
# A machine that was off catches up.
Persistent=true

[Install]
WantedBy=timers.target
"""


def crontab_of(deployment: Deployment, program: str, user: str) -> str:
    """Return a file for ``/etc/cron.d``.

    Args:
        deployment: The run.
        program: The path of the program.
        user: Who runs it.
    """
    places = _Places.of(deployment.name)
    line = deployment.line(f"{places.folder}/{deployment.policy_name}", program)
    # One at a time; drift is no failure.
    run = f"flock -n {places.state}/lock {line} --token-file {places.folder}/token || [ $? -eq 3 ]"
    codes = "".join(f"# {each}\n" for each in CODES)
    return f"""\
# /etc/cron.d/{deployment.name}: what it prints is mailed to MAILTO.
# Before it, once, as root; the last command reads the API token:
#   id {user} || useradd --system {user}
#   install -d -m 700 -o {user} {places.state} {places.cache}
#   install -D -m 644 {deployment.policy_name} {places.folder}/{deployment.policy_name}
#   install -m 400 -o {user} /dev/stdin {places.folder}/token
# The time is that of the machine.
{codes}SHELL=/bin/sh
PATH=/usr/local/bin:/usr/bin:/bin
MAILTO=root
AIOREGISTRY_STATE_DIR={places.state}
XDG_CACHE_HOME={places.cache}

{deployment.when.cron} {user} {run}
"""
