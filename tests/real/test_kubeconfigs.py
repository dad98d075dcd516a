"""Kubeconfigs of all sorts at a real API server: what kubectl can use is used, and nothing else."""

import asyncio
import base64
import json
from typing import Any

import pytest
import trustme

from aioregistry.cleanup.in_use.cluster import ClusterInUse
from aioregistry.cleanup.in_use.kube_api import by_kubeconfig
from aioregistry.cleanup.in_use.references import InUseError
from tests.real.kubernetes_server import serving_kubernetes

pytest.importorskip("kubernetes_asyncio")
pytestmark = [pytest.mark.exhaustive, pytest.mark.slow(30)]

SECRET = "s3cret"
API = "client.authentication.k8s.io"
# By name: what differs from a kubeconfig that is right. Words in capitals stand for what the
# server has; `None` takes a key away.
CLUSTERS: dict[str, dict[str, Any]] = {
    "authority in a file": {"certificate-authority-data": None, "certificate-authority": "ca.pem"},
    "authority beside an empty one": {
        "certificate-authority-data": "",
        "certificate-authority": "ca.pem",
    },
    "unchecked": {"certificate-authority-data": None, "insecure-skip-tls-verify": True},
    "unchecked with an authority": {"insecure-skip-tls-verify": True},
    "another authority": {
        "certificate-authority-data": None,
        "certificate-authority": "other.pem",
    },
    "no authority": {"certificate-authority-data": None},
    "an authority that is none": {"certificate-authority-data": "!!!"},
    "a slash at the end": {"server": "URL/"},
    "by name": {"server": "NAMED"},
    "with the name of its certificate": {"tls-server-name": "localhost"},
    "with another name": {"tls-server-name": "example.com"},
    "without scheme": {"server": "HOST"},
    "by http": {"server": "http://HOST"},
    "with a password": {"server": f"https://me:{SECRET}@HOST"},
    "below a path": {"server": "URL/prefix"},
    "without server": {"server": ""},
    "by a proxy that is away": {"proxy-url": f"http://me:{SECRET}@127.0.0.1:1"},
    "without compression": {"disable-compression": True},
}
USERS: dict[str, Any] = {
    "token": {"token": "TOKEN"},
    "wrong token": {"token": SECRET},
    "token file": {"tokenFile": "token"},
    "token file before a token": {"tokenFile": "token", "token": SECRET},
    "token beside no token file": {"tokenFile": "", "token": "TOKEN"},
    "no token file": {"tokenFile": "nix"},
    "certificate": {"client-certificate-data": "CERTIFICATE", "client-key-data": "KEY"},
    "certificate in files": {"client-certificate": "me.pem", "client-key": "me-key.pem"},
    "certificate without key": {"client-certificate-data": "CERTIFICATE"},
    "certificate that is none": {"client-certificate-data": "eA==", "client-key-data": "eA=="},
    "certificate and wrong token": {
        "client-certificate-data": "CERTIFICATE",
        "client-key-data": "KEY",
        "token": SECRET,
    },
    "password": {"username": "me", "password": SECRET},
    "as another": {"token": "TOKEN", "as": "nobody"},
    "as nobody": {"token": "TOKEN", "as": ""},
    "nothing": {},
    "null": None,
    "a list": [SECRET],
    "a text": SECRET,
    "number as token": {"token": 12345},
    "plugin": {"exec": {"command": "./right"}},
    "older plugin": {"exec": {"command": "./older", "apiVersion": f"{API}/v1beta1"}},
    "plugin of another version": {"exec": {"command": "./older"}},
    "plugin of no version": {"exec": {"command": "./right", "apiVersion": f"{API}/v1alpha1"}},
    "plugin that fails": {"exec": {"command": "./failing"}},
    "plugin that says nothing": {"exec": {"command": "true"}},
    "plugin without status": {"exec": {"command": "./empty"}},
    "no such plugin": {"exec": {"command": "no-such-plugin"}},
    "no such plugin here": {"exec": {"command": "./no-such-plugin"}},
    "plugin with a certificate": {"exec": {"command": "./certificate"}},
    "plugin with both": {"exec": {"command": "./both"}},
    "plugin whose token has ended": {"exec": {"command": "./ended"}},
    "plugin with arguments": {
        "exec": {
            "command": "./arguments",
            "args": ["TOKEN"],
            "env": [{"name": "KIND", "value": "ExecCredential"}],
        }
    },
    "plugin and wrong token": {"exec": {"command": "./right"}, "token": SECRET},
    "plugin whose lists are null": {"exec": {"command": "./right", "args": None, "env": None}},
}
WHOLES: dict[str, dict[str, Any]] = {
    "no current context": {"current-context": ""},
    "unknown context": {"current-context": "nix"},
    "no contexts": {"contexts": None},
    "no users": {"users": None},
    "context without user": {"contexts": [{"name": "x", "context": {"cluster": "x"}}]},
    "unknown user": {"contexts": [{"name": "x", "context": {"cluster": "x", "user": "nix"}}]},
    "unknown cluster": {"contexts": [{"name": "x", "context": {"cluster": "nix", "user": "x"}}]},
    "with a namespace": {
        "contexts": [
            {"name": "x", "context": {"cluster": "x", "user": "x", "namespace": "kube-public"}}
        ]
    },
    "token in the wrong place": {"users": [{"name": "x", "token": SECRET}]},
    "user without name": {"users": [{"user": {"token": SECRET}}]},
    "users by name": {"users": {"x": {"user": {"token": SECRET}}}},
}
TEXTS = {
    "a byte order mark": "\ufeff{}",
    "a list": "[]",
    "a text": "hello",
    "tabs": "a:\n\t- b",
    "empty": "",
}
CASES = (
    [("cluster", name) for name in CLUSTERS]
    + [("user", name) for name in USERS]
    + [("whole", name) for name in WHOLES]
    + [("file", name) for name in TEXTS]
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A server with a pod, and a folder with a kubeconfig that is right, and what others name."""
    folder = tmp_path_factory.mktemp("kubernetes")
    with serving_kubernetes(folder) as server:
        server.kubectl("create", "serviceaccount", "me")
        role = ("--clusterrole=cluster-admin", "--serviceaccount=default:me")
        server.kubectl("create", "clusterrolebinding", "me", *role)
        containers = [{"name": "c", "image": "registry.digitalocean.com/example/web:1"}]
        pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers}}
        server.create(pod | {"metadata": {"name": "pod", "namespace": "default"}})
        trustme.CA().cert_pem.write_to_path(folder / "other.pem")
        token = server.token("me")
        (folder / "token").write_text(f"{token}\n")
        certificate, key = ((folder / name).read_text() for name in ("me.pem", "me-key.pem"))
        both = {"clientCertificateData": certificate, "clientKeyData": key}
        for name, status in {
            "right": {"token": token},
            "older": {"token": token},
            "failing": {"token": token},
            "empty": None,
            "certificate": both,
            "both": {"token": "", **both},
            "ended": {"token": token, "expirationTimestamp": "2020-01-01T00:00:00Z"},
            "arguments": {"token": "$1"},
        }.items():
            version = "v1beta1" if name == "older" else "v1"
            answer = {"apiVersion": f"{API}/{version}", "kind": "ExecCredential"}
            answer |= {} if status is None else {"status": status}
            text = json.dumps(answer)
            say = f"cat <<'X'\n{text}\nX"
            if name == "arguments":
                text = text.replace('"', '\\"').replace("ExecCredential", "$KIND")
                say = f'printf "%s\\n" "{text}"'
            end = "exit 3" if name == "failing" else ""
            (folder / name).write_text(f"#!/bin/sh\n{say}\n{end}\n")
            (folder / name).chmod(0o755)
        host = server.url.removeprefix("https://")
        words = {
            "URL": server.url,
            "NAMED": server.url.replace("127.0.0.1", "localhost"),
            "HOST": host,
            "TOKEN": token,
            "CERTIFICATE": base64.b64encode(certificate.encode()).decode(),
            "KEY": base64.b64encode(key.encode()).decode(),
            "AUTHORITY": base64.b64encode(server.authority_file.read_bytes()).decode(),
        }
        yield server, folder, words


def filled(value: Any, words: dict[str, str]) -> Any:
    """A document with what stands for its words in capitals."""
    match value:
        case dict():
            found = {key: filled(one, words) for key, one in value.items()}
            if "command" in found:
                found = {"apiVersion": f"{API}/v1", "interactiveMode": "Never"} | found
            return found
        case list():
            return [filled(one, words) for one in value]
        case str():
            for word, text in words.items():
                if value == word or (word in {"URL", "HOST"} and word in value):
                    value = value.replace(word, text)
    return value


def kubeconfig(kind: str, name: str) -> Any:
    cluster: Any = {"server": "URL", "certificate-authority-data": "AUTHORITY"}
    if kind == "cluster":
        changes = CLUSTERS[name]
        cluster = {key: one for key, one in (cluster | changes).items() if one is not None}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": cluster}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "users": [{"name": "x", "user": USERS[name if kind == "user" else "token"]}],
    }
    return document | (WHOLES[name] if kind == "whole" else {})


@pytest.mark.parametrize(("kind", "name"), CASES, ids=" ".join)
def test_it_is_of_use_exactly_where_it_is_to_kubectl(place, kind, name, monkeypatch):
    server, folder, words = place
    document = json.dumps(filled(kubeconfig(kind, name), words))
    config = folder / "config"
    config.write_text(TEXTS[name].replace("{}", document) if kind == "file" else document)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    monkeypatch.chdir(elsewhere)
    done = server.kubectl(
        *("get", "pods", "-A", "-o", "name", "--request-timeout=20s"),
        kubeconfig=config,
        given="",
        check=False,
    )
    is_of_use = done.returncode == 0
    found, refusal = asyncio.run(asked(config))
    assert (found == 1) == is_of_use, f"{done.stderr}\n{refusal}"
    assert SECRET not in refusal
    assert words["TOKEN"] not in refusal


async def asked(config):
    """How many images are found by a kubeconfig, or why none."""
    source = ClusterInUse(connect=by_kubeconfig(None, [config]), sleep=no_wait, timeout=30)
    try:
        return len(await source.ask()), ""
    except InUseError as error:
        return None, str(error)


async def no_wait(_: float) -> None:
    pass
