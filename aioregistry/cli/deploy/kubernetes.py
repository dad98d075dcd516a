"""A CronJob for Kubernetes, with all that it needs besides the secret. Pure."""

import json
import sys

import yaml
from attrs import frozen

from aioregistry.cleanup.in_use.kinds import cluster_role, parse_kind
from aioregistry.cli.deploy.plan import CODES, Deployment

__all__ = ["Cluster", "manifests_of", "yaml_text"]

_POLICIES = "/etc/aioregistry"
_STATE = "/var/lib/aioregistry"


@frozen
class Cluster:
    """Where it runs.

    Attributes:
        namespace: The namespace.
        image: The image that ``aioregistry deploy dockerfile`` makes.
        secret: The name of the secret with the token.
        asks: Whether the run asks the cluster what is in use.
        pull_secret: The name of the secret that the image is pulled with; None for none.
    """

    namespace: str
    image: str
    secret: str
    asks: bool
    pull_secret: str | None = None


def manifests_of(deployment: Deployment, cluster: Cluster) -> str:
    """Return the objects as YAML for ``kubectl apply -f -``."""
    parts = [_head(deployment, cluster) + _account(deployment, cluster)]
    if cluster.asks:
        kinds = map(parse_kind, deployment.further_kinds)
        role = cluster_role(kinds, name=_role_name(deployment, cluster))
        parts += [role, _binding(deployment, cluster)]
    parts += [
        _policy(deployment, cluster),
        _volume(deployment, cluster),
        _cron_job(deployment, cluster),
    ]
    return "---\n".join(parts)


def _head(deployment: Deployment, cluster: Cluster) -> str:
    codes = "".join(f"# {line}\n" for line in CODES)
    return f"""\
# A clean-up that runs by itself: kubectl apply -f FILE
# Before it, once, the API token, which so stays out of the shell's history:
#   kubectl -n {cluster.namespace} create secret generic {cluster.secret} \\
#     --from-file=token=/dev/stdin
# A further key `notify` in it has the address of a webhook that is told how each run ended.
# To run it now: kubectl -n {cluster.namespace} create job --from=cronjob/{deployment.name} try-1
{codes}"""


def _meta(deployment: Deployment, cluster: Cluster) -> str:
    return f"""\
metadata:
  name: {json.dumps(deployment.name)}
  namespace: {json.dumps(cluster.namespace)}
  labels:
    app.kubernetes.io/name: aioregistry
    app.kubernetes.io/instance: {json.dumps(deployment.name)}
"""


def _account(deployment: Deployment, cluster: Cluster) -> str:
    return f"""\
apiVersion: v1
kind: ServiceAccount
{_meta(deployment, cluster)}automountServiceAccountToken: false
"""


def _role_name(deployment: Deployment, cluster: Cluster) -> str:
    """Return the name of what has no namespace, so that two namespaces share none."""
    return f"{cluster.namespace}:{deployment.name}"


def _binding(deployment: Deployment, cluster: Cluster) -> str:
    role = json.dumps(_role_name(deployment, cluster))
    return f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {role}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {role}
subjects:
  - kind: ServiceAccount
    name: {json.dumps(deployment.name)}
    namespace: {json.dumps(cluster.namespace)}
"""


def _policy(deployment: Deployment, cluster: Cluster) -> str:
    return f"""\
apiVersion: v1
kind: ConfigMap
{_meta(deployment, cluster)}data:
  {deployment.policy_name}: {yaml_text(deployment.policy, 4)}
"""


def yaml_text(text: str, indent: int) -> str:
    """Return a text as a value of YAML: a literal, which people can read, where it can be one."""
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    is_odd = any(not line.isprintable() or line != line.rstrip() for line in lines)
    if is_odd or not lines[0] or lines[0].startswith(" "):
        return yaml.safe_dump(text, default_style='"', width=sys.maxsize).strip()
    return "|\n" + "\n".join(f"{' ' * indent}{line}".rstrip() for line in lines)


def _volume(deployment: Deployment, cluster: Cluster) -> str:
    return f"""\
# Plans, journals, archives to undo from, and what is remembered of lists.
apiVersion: v1
kind: PersistentVolumeClaim
{_meta(deployment, cluster)}spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 1Gi
"""


def _cron_job(deployment: Deployment, cluster: Cluster) -> str:
    secret = json.dumps(cluster.secret)
    command = deployment.words(f"{_POLICIES}/{deployment.policy_name}")
    pulls = (
        ""
        if cluster.pull_secret is None
        else f"          imagePullSecrets: [{{name: {json.dumps(cluster.pull_secret)}}}]\n"
    )
    return f"""\
apiVersion: batch/v1
kind: CronJob
{_meta(deployment, cluster)}spec:
  schedule: "{deployment.when.cron}"
  timeZone: Etc/UTC
  # Two at once would wait for each other: they share the API's quota.
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      # What failed is tried by the next run, with a new plan.
      backoffLimit: 0
      activeDeadlineSeconds: 28800
      template:
        metadata:
          labels:
            app.kubernetes.io/name: aioregistry
            app.kubernetes.io/instance: {json.dumps(deployment.name)}
        spec:
          restartPolicy: Never
          serviceAccountName: {json.dumps(deployment.name)}
          automountServiceAccountToken: {json.dumps(cluster.asks)}
{pulls}          # A run that is ended finishes what it has sent.
          terminationGracePeriodSeconds: 120
          securityContext:
            runAsNonRoot: true
            runAsUser: 65532
            runAsGroup: 65532
            fsGroup: 65532
            seccompProfile: {{type: RuntimeDefault}}
          containers:
            - name: cleanup
              image: {json.dumps(cluster.image)}
              command: {json.dumps(command)}
              env:
                - name: DIGITALOCEAN_TOKEN
                  valueFrom:
                    secretKeyRef: {{name: {secret}, key: token}}
                - name: AIOREGISTRY_NOTIFY
                  valueFrom:
                    secretKeyRef: {{name: {secret}, key: notify, optional: true}}
                - {{name: AIOREGISTRY_STATE_DIR, value: {_STATE}/state}}
                - {{name: XDG_CACHE_HOME, value: {_STATE}/cache}}
                - {{name: HOME, value: /tmp}}
              # Measured: a plan of 100,000 tags takes 165 MiB at its peak, of a million 512 MiB.
              resources:
                requests: {{cpu: 100m, memory: 256Mi}}
                limits: {{memory: 768Mi}}
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                capabilities: {{drop: [ALL]}}
              volumeMounts:
                - {{name: policy, mountPath: {_POLICIES}, readOnly: true}}
                - {{name: state, mountPath: {_STATE}}}
                - {{name: tmp, mountPath: /tmp}}
          volumes:
            - name: policy
              configMap: {{name: {json.dumps(deployment.name)}}}
            - name: state
              persistentVolumeClaim: {{claimName: {json.dumps(deployment.name)}}}
            - name: tmp
              emptyDir: {{sizeLimit: 64Mi}}
"""
