"""The field's own tools, and what they do with a registry, as commands."""

import asyncio
import base64
import io
import itertools
import json
import os
import shlex
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define, field

from tests.real.images import Store
from tests.real.places import Place, program
from tests.real.registry import NAMESPACE

_COSIGN = "--allow-http-registry --allow-insecure-registry --key {folder}/cosign"
_REGCTL = "regctl --host reg={host},tls=disabled,user={login},pass={login}"
_OLD = "--tlog-upload=false --yes"
_NEW = "--use-signing-config=false --tlog-upload=false --yes"
_COPY = "skopeo --insecure-policy copy --all --src-tls-verify=false --dest-tls-verify=false"
_BUILDAH = "buildah --storage-driver vfs --root {store}/a --runroot {store}/b"
_PODMAN = "podman --storage-driver vfs --root {store}/c --runroot {store}/d"
_LOGIN = "--tls-verify=false --authfile {folder}/.docker/config.json"
_LAYOUT = "{folder}/umoci-{tag}"
_ORAS_PY = f"{sys.executable} {Path(__file__).with_name('oras_py.py')}"
# By tool and operation: a command for each, or several. `pull` and `verify` show that an image is
# whole.
COMMANDS: dict[str, dict[str, str]] = {
    "skopeo": {
        "push": f"{_COPY} oci:{{layout}} docker://{{image}}",
        "push as Docker's": f"{_COPY} --format v2s2 oci:{{layout}} docker://{{image}}-docker",
        "copy": f"{_COPY} --preserve-digests docker://{{image}} docker://{{elsewhere}}",
        "list": "skopeo list-tags --tls-verify=false docker://{repository}",
        "pull": f"{_COPY} docker://{{image}} dir:{{fresh}}",
        "delete": "skopeo delete --tls-verify=false docker://{image}",
    },
    "buildah": {
        "push": f"{_BUILDAH} from --name {{tag}} scratch; {_BUILDAH} add {{tag}} {{layer}} /;"
        f" {_BUILDAH} commit {{tag}} i-{{tag}}; {_BUILDAH} push {_LOGIN} i-{{tag}} docker://{{image}}",
        "push as Docker's": f"{_BUILDAH} push {_LOGIN} --format v2s2 i-{{tag}} docker://{{image}}-docker",
        "push as zstd": f"{_BUILDAH} push {_LOGIN} --compression-format zstd i-{{tag}}"
        " docker://{image}-zstd",
        "push an index": f"{_BUILDAH} manifest create m-{{tag}} i-{{tag}};"
        f" {_BUILDAH} manifest push {_LOGIN} --all m-{{tag}} docker://{{image}}-index",
        "push as schema 1": f"{_COPY} --format v2s1 docker://{{image}}-docker"
        " docker://{image}-old",
        "pull": f"{_BUILDAH} pull {_LOGIN} --policy always docker://{{image}};"
        f" {_COPY} docker://{{image}}-index dir:{{fresh}}",
    },
    "podman": {
        "push": f"{_PODMAN} import {{layer}} i-{{tag}}; {_PODMAN} push {_LOGIN} i-{{tag}} docker://{{image}}",
        "push an index": f"{_PODMAN} manifest create m-{{tag}};"
        f" {_PODMAN} manifest add m-{{tag}} containers-storage:localhost/i-{{tag}};"
        f" {_PODMAN} manifest push {_LOGIN} --all m-{{tag}} docker://{{image}}-index",
        "push an index of nothing": f"{_PODMAN} manifest create e-{{tag}};"
        f" {_PODMAN} manifest push {_LOGIN} e-{{tag}} docker://{{image}}-empty",
        "pull": f"{_PODMAN} rmi -a -f; {_PODMAN} pull {_LOGIN} docker://{{image}};"
        f" {_COPY} docker://{{image}}-index dir:{{fresh}}",
    },
    "umoci": {
        "push": f"umoci init --layout {_LAYOUT}; umoci new --image {_LAYOUT}:{{tag}};"
        f" umoci insert --image {_LAYOUT}:{{tag}} {{layer}} /file;"
        f" {_COPY} --preserve-digests oci:{_LAYOUT}:{{tag}} docker://{{image}}",
        "pull": f"{_COPY} --preserve-digests docker://{{image}} oci:{{fresh}}:{{tag}};"
        " umoci unpack --rootless --image {fresh}:{tag} {fresh}-unpacked",
    },
    "oras-py": {
        one: f"{_ORAS_PY} {one} {{image}} {{layer}}"
        for one in ("push", "attach", "list", "pull", "delete")
    },
    "dxf": {
        "push": "dxf push-blob {path} {layer} @{tag}",
        "list": "dxf list-aliases {path}",
        "pull": "dxf pull-blob {path} @{tag}",
        "delete": "dxf del-alias {path} {tag}",
    },
    "crpy": {
        "push": f"{_COPY} oci:{{layout}} docker-archive:{{folder}}/{{tag}}.tar:{{image}};"
        " crpy -k push {folder}/{tag}.tar {url}",
        "list": "crpy -k tags {url}",
        "pull": "crpy -k pull --no-cache {url} {fresh}.tar",
        "delete": "crpy -k delete {url}",
    },
    "crane": {
        "push": "crane append --oci-empty-base -f {layer} -t {image}",
        "tag": "crane tag {image} {tag}-also",
        "copy": "crane copy {image} {elsewhere}",
        "list": "crane ls {repository}",
        "pull": "crane validate --remote {image}",
        "delete": "crane delete {repository}@{digest}",
    },
    "gcrane": {
        "push": "gcrane append -f {layer} -t {image}",
        "copy": "gcrane cp -r {repository} {repository}-copy",
        "list": "gcrane ls {repository}",
        "pull": "gcrane validate --remote {image}",
        "delete": "gcrane delete {repository}@{digest}",
    },
    "oras": {
        "push": "oras push --disable-path-validation --plain-http {image} {layer}",
        "attach": "oras attach --disable-path-validation --plain-http --artifact-type text/x"
        " {image} {layer}",
        "discover": "oras discover --plain-http --format json {image}",
        "copy": "oras cp -r --from-plain-http --to-plain-http {image} {elsewhere}",
        "list": "oras repo tags --plain-http {repository}",
        "pull": "oras pull --plain-http -o {folder}/pulled --allow-path-traversal {image}",
        "delete": "oras manifest delete --plain-http -f {repository}@{digest}",
    },
    "regctl": {
        "push": f"{_REGCTL} artifact put --artifact-type text/x --file {{layer}} {{image}}",
        "attach": f"{_REGCTL} artifact put --artifact-type text/y --subject {{image}}"
        " --file {layer}",
        "discover": f"{_REGCTL} artifact list {{image}}",
        "copy": f"{_REGCTL} image copy --referrers --digest-tags {{image}} {{elsewhere}}",
        "list": f"{_REGCTL} tag ls {{repository}}",
        "pull": f"{_REGCTL} image export {{image}} {{folder}}/exported.tar",
        "untag": f"{_REGCTL} tag delete {{image}}",
        "delete": f"{_REGCTL} manifest delete {{repository}}@{{digest}}",
    },
    "helm": {
        "push": "helm push --plain-http {chart} oci://{host}/example",
        "pull": "helm pull --plain-http -d {folder}/pulled oci://{repository} --version {version}",
    },
    "cosign2": {
        "push": "crane append -f {layer} -t {image}",
        "sign": f"cosign2 sign {_OLD} {_COSIGN}.key {{repository}}@{{digest}}",
        "attest": f"cosign2 attest {_OLD} {_COSIGN}.key --type custom --predicate {{predicate}}"
        " {repository}@{digest}",
        "attach": "cosign2 attach sbom --allow-http-registry --sbom {predicate} {image}",
        "copy": "cosign2 copy --allow-http-registry {image} {elsewhere}",
        "pull": "crane validate --remote {image}",
        "verify": f"cosign2 verify --insecure-ignore-tlog {_COSIGN}.pub {{image}}",
        "clean": "cosign2 clean --allow-http-registry --type all -f {image}",
    },
    "cosign3": {
        "push": "crane append --oci-empty-base -f {layer} -t {image}",
        "sign": f"cosign3 sign {_NEW} {_COSIGN}.key {{repository}}@{{digest}}",
        "attest": f"cosign3 attest {_NEW} {_COSIGN}.key --type custom --predicate {{predicate}}"
        " {repository}@{digest}",
        "copy": "cosign3 copy --allow-http-registry {image} {elsewhere}",
        "pull": "crane validate --remote {image}",
        "verify": f"cosign3 verify --insecure-ignore-tlog {_COSIGN}.pub {{image}}",
        "clean": "cosign3 clean --allow-http-registry --type all -f {image}",
    },
    "notation": {
        "push": "crane append --oci-empty-base -f {layer} -t {image}",
        "sign": "notation sign --insecure-registry {repository}@{digest}",
        "list": "notation list --insecure-registry {repository}@{digest}",
        "pull": "crane validate --remote {image}",
        "verify": "notation verify --insecure-registry {repository}@{digest}",
    },
}
_SETUP = {
    "cosign2": ["cosign2 generate-key-pair --output-key-prefix {folder}/cosign"],
    "cosign3": ["cosign3 generate-key-pair --output-key-prefix {folder}/cosign"],
    "crpy": ["crpy -k login -u {login} -p {login} http://{host}"],
    "notation": ["notation cert generate-test --default example.test"],
}
_TRUST = {
    "version": "1.0",
    "trustPolicies": [
        {
            "name": "all",
            "registryScopes": ["*"],
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:example.test"],
            "trustedIdentities": ["*"],
        }
    ],
}


@define
class Tool:
    """One tool, at work on one place, with a home of its own."""

    name: str
    place: Place
    folder: Path
    store: Path
    output: str = field(default="", init=False)
    _numbers: Iterator[int] = field(factory=itertools.count, init=False)

    @property
    def repository(self) -> str:
        # helm takes the name of the chart.
        return f"{self.name}-work"

    @property
    def operations(self) -> list[str]:
        return list(COMMANDS[self.name])

    async def set_up(self) -> None:
        for commands in COMMANDS[self.name].values():
            for command in commands.split(";"):
                program(command.split()[0])
        if self.name == "oras-py":
            pytest.importorskip("oras", reason="needs oras: pip install oras")
        config = self.folder / ".docker/config.json"
        config.parent.mkdir(parents=True)
        (self.folder / "pulled").mkdir()
        login = base64.b64encode(f"{self.place.login}:{self.place.login}".encode()).decode()
        auths = {self.place.host: {"auth": login}} if self.place.login else {}
        config.write_text(json.dumps({"auths": auths}))
        (self.folder / "predicate.json").write_text('{"spdxVersion": "SPDX-2.3"}')
        for command in _SETUP.get(self.name, ()):
            if "{login}" in command and not self.place.login:
                continue
            assert await self.execute(command, "v1"), self.output
        if self.name == "notation":
            policy = self.folder / ".config/notation/trustpolicy.json"
            policy.write_text(json.dumps(_TRUST))
            policy.chmod(0o600)

    async def do(self, operation: str, tag: str) -> bool:
        """Do something with the image of a tag, and return whether the tool says that it did."""
        return await self.execute(COMMANDS[self.name][operation], tag)

    async def execute(self, commands: str, tag: str) -> bool:
        fresh = self.folder / f"fresh-{next(self._numbers)}"
        for command in commands.split(";"):
            if not await self._execute(command.strip(), tag, fresh):
                return False
        return True

    async def _execute(self, command: str, tag: str, fresh: Path) -> bool:
        repository = f"{self.place.host}/{NAMESPACE}/{self.repository}"
        version = "1.0.0" if tag == "v1" else f"0.0.0-{tag}"
        tag = version if self.name == "helm" else tag
        words = shlex.split(
            command.format(
                host=self.place.host,
                login=self.place.login,
                folder=self.folder,
                store=self.store,
                fresh=fresh,
                path=f"{NAMESPACE}/{self.repository}",
                url=f"http://{repository}:{tag}",
                layout=self._layout(tag),
                repository=repository,
                tag=tag,
                version=version,
                image=f"{repository}:{tag}",
                elsewhere=f"{repository}-copy:{tag}",
                digest=self.place.tags(self.repository).get(tag, ""),
                layer=self._layer(tag),
                chart=self._chart(version),
                predicate=self.folder / "predicate.json",
            )
        )
        process = await asyncio.create_subprocess_exec(
            program(words[0]),
            *words[1:],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "COSIGN_PASSWORD": "",
                "DXF_HOST": self.place.host,
                "DXF_INSECURE": "1",
                "DXF_USERNAME": self.place.login,
                "DXF_PASSWORD": self.place.login,
                # podman keeps what it runs there.
                "XDG_RUNTIME_DIR": str(self.store),
            },
            cwd=self.folder,
        )
        output, _ = await process.communicate()
        self.output = output.decode(errors="replace")
        return process.returncode == 0

    def _layer(self, tag: str) -> Path:
        path = self.folder / f"layer-{tag}.tar"
        _archive(path, {"file": f"of {tag}".encode()})
        return path

    def _layout(self, tag: str) -> Path:
        path = self.folder / f"layout-{tag}"
        if not path.exists():
            store = Store()
            store.as_layout(path, store.image(tag, [store.layer(tag)]))
        return path

    def _chart(self, version: str) -> Path:
        path = self.folder / f"chart-{version}.tgz"
        about = f"apiVersion: v2\nname: {self.repository}\nversion: {version}\n"
        _archive(path, {f"{self.repository}/Chart.yaml": about.encode()}, "gz")
        return path


def _archive(path: Path, files: dict[str, bytes], compression: str = "") -> None:
    with tarfile.open(path, f"w:{compression}") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
