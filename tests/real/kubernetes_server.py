"""A real API server of Kubernetes, with etcd, on loopback: for tests, and to try things by hand.

    AIOREGISTRY_TOOLS=FOLDER python -m tests.real.kubernetes_server   # until Ctrl-C

It prints where its kubeconfig is, which may do everything. No controllers run: nothing makes pods
of a deployment, and what is created stays as it is.
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import trustme
from attrs import define, field

from benchmarks.ports import free_port
from tests.real.places import program

_START_SECONDS = 120
_STOP_SECONDS = 20


@define
class KubernetesServer:
    """A server that runs.

    Attributes:
        folder: Of its files.
        url: Its address.
        etcd_url: That of its etcd.
        authority: What issues its certificates, and those of clients.
    """

    folder: Path
    url: str
    etcd_url: str
    authority: trustme.CA
    _kubectl: str = field(factory=lambda: program("kubectl"))

    @property
    def authority_file(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of one who may do everything, by a certificate."""
        return self.folder / "admin.json"

    def user_by_certificate(self, name: str, group: str = "") -> dict[str, Any]:
        """Return a user of a kubeconfig, with a certificate of the authority."""
        issued = self.authority.issue_cert(name, common_name=name, organization_name=group or None)
        paths = {"client-certificate": f"{name}.pem", "client-key": f"{name}-key.pem"}
        issued.cert_chain_pems[0].write_to_path(self.folder / f"{name}.pem")
        issued.private_key_pem.write_to_path(self.folder / f"{name}-key.pem")
        return {key: str(self.folder / path) for key, path in paths.items()}

    def write_kubeconfig(
        self,
        path: Path,
        user: Mapping[str, Any],
        *,
        context: str = "real",
        is_current: bool = True,
        **cluster: Any,
    ) -> Path:
        """Write a kubeconfig with one context."""
        of_cluster = {"server": self.url, "certificate-authority": str(self.authority_file)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context if is_current else "",
            "clusters": [{"name": context, "cluster": of_cluster | cluster}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "users": [{"name": context, "user": dict(user)}],
        }
        path.write_text(json.dumps(document))
        return path

    def kubectl(
        self,
        *words: str,
        given: str | None = None,
        kubeconfig: Path | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, by default as one who may do everything."""
        done = subprocess.run(
            [
                self._kubectl,
                f"--kubeconfig={kubeconfig or self.kubeconfig}",
                f"--cache-dir={self.folder}/cache",
                *words,
            ],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert not check or done.returncode == 0, f"{words}: {done.stderr}"
        return done

    def get(self, *words: str) -> list[dict[str, Any]]:
        """Return objects as kubectl gets them, of all namespaces."""
        items = json.loads(self.kubectl("get", *words, "-A", "-o", "json").stdout)["items"]
        assert isinstance(items, list)
        return items

    def create(self, *objects: Mapping[str, Any]) -> None:
        """Create objects by kubectl."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("create", "--validate=strict", "-f", "-", given=json.dumps(listed))

    def set_status(self, path: str, status: Mapping[str, Any]) -> None:
        """Write what a kubelet reports of an object, given its path."""
        self.kubectl(
            *("replace", "--raw", f"{path}/status", "-f", "-"),
            given=json.dumps(
                json.loads(self.kubectl("get", "--raw", path).stdout) | {"status": status}
            ),
        )

    def token(self, account: str, namespace: str = "default") -> str:
        """Return a token of a service account, which lives as long as the account does."""
        return self.kubectl("create", "token", account, "-n", namespace).stdout.strip()

    def compact(self) -> None:
        """Forget all but the present: places in lists that began before are refused."""
        # Any write gives the store a revision after those of the lists that are being read.
        name = "compacted"
        self.kubectl("create", "configmap", name)
        made = self.kubectl("get", "configmap", name, "-o", "json").stdout
        revision = json.loads(made)["metadata"]["resourceVersion"]
        request = urllib.request.Request(
            f"{self.etcd_url}/v3/kv/compaction",
            json.dumps({"revision": revision, "physical": True}).encode(),
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200
        self.kubectl("delete", "configmap", name)


@contextmanager
def _running(words: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file, subprocess.Popen(words, stdout=file, stderr=file) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(server: KubernetesServer, *processes: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_SECONDS
    while server.kubectl("get", "--raw", "/readyz", check=False).stdout != "ok":
        ended = [each.args for each in processes if each.poll() is not None]
        assert not ended, f"ended: {ended}; see its log in {server.folder}"
        assert time.monotonic() < end, f"not ready; see the logs in {server.folder}"
        time.sleep(0.3)


@contextmanager
def serving_kubernetes(folder: Path) -> Iterator[KubernetesServer]:
    """Start a server with an empty cluster; skips the test without its programs."""
    api, etcd = program("kube-apiserver"), program("etcd")
    peer_port, etcd_port, port = free_port(), free_port(), free_port()
    authority = trustme.CA()
    url, etcd_url = f"https://127.0.0.1:{port}", f"http://127.0.0.1:{etcd_port}"
    server = KubernetesServer(folder, url, etcd_url, authority)
    authority.cert_pem.write_to_path(server.authority_file)
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.cert_chain_pems[0].write_to_path(folder / "server.pem")
    issued.private_key_pem.write_to_path(folder / "server-key.pem")
    # What signs the tokens of service accounts, and checks them.
    signing = authority.issue_cert("accounts").private_key_pem
    signing.write_to_path(folder / "accounts.pem")
    server.write_kubeconfig(server.kubeconfig, server.user_by_certificate("me", "system:masters"))
    of_etcd = [
        etcd,
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls={etcd_url}",
        f"--advertise-client-urls={etcd_url}",
        f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}",
        f"--initial-cluster=default=http://127.0.0.1:{peer_port}",
    ]
    of_api = [
        api,
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder}",
        f"--tls-cert-file={folder}/server.pem",
        f"--tls-private-key-file={folder}/server-key.pem",
        f"--client-ca-file={server.authority_file}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={folder}/accounts.pem",
        f"--service-account-key-file={folder}/accounts.pem",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        # Without controllers, no namespace has a service account by itself.
        "--disable-admission-plugins=ServiceAccount",
        "--etcd-compaction-interval=0",
        # Off by default as late as 1.34: without it the field is dropped from what is created.
        # The other one, on since 1.34, goes on with a list from the cache once etcd has forgotten
        # it, where older servers, and those whose cache is younger, answer 410.
        "--feature-gates=ImageVolume=true,ListFromCacheSnapshot=false",
    ]
    with ExitStack() as stack:
        store = stack.enter_context(_running(of_etcd, folder / "etcd.log"))
        process = stack.enter_context(_running(of_api, folder / "api.log"))
        _wait_until_ready(server, store, process)
        yield server


def _main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="kubernetes-"))
    try:
        with serving_kubernetes(folder) as server:
            sys.stdout.write(f"export KUBECONFIG={server.kubeconfig}\n")
            sys.stdout.flush()
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    _main()
