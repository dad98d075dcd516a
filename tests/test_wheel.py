"""The wheel and the sdist, apart from the checkout."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow(1)

CHECKOUT = Path(__file__).parent.parent
# What imports and works with nothing but the client's own dependencies.
USE = """
import asyncio, aioregistry, sys
from aioregistry.sandbox import Sandbox

async def main():
    async with Sandbox() as sandbox:
        sandbox.state.push("example", "web", ["v1"])
        async with aioregistry.RegistryClient(sandbox.token, base_url=sandbox.url) as client:
            repository = client.registry("example").repository("web")
            assert [tag.tag async for tag in repository.tags()] == ["v1"]
            assert len((await repository.delete_tags(["v1"])).deleted) == 1

asyncio.run(main())
print(aioregistry.__file__)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with a wheel, made of the sdist, and the sdist."""
    folder = tmp_path_factory.mktemp("built")
    script = (
        "import os, sys; from hatchling import build; os.chdir(sys.argv[1]);"
        "build.build_sdist(sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", script, CHECKOUT, folder], check=True)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    script = script.replace("build_sdist", "build_wheel")
    subprocess.run([sys.executable, "-c", script, unpacked, folder], check=True)
    return folder


@pytest.mark.slow(1)
def test_the_wheel_has_the_package_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "aioregistry",
        "aioregistry_do-0.1.0.dist-info",
    }
    there = {name for name in names if name.startswith("aioregistry/")}
    wanted = {
        str(path.relative_to(CHECKOUT))
        for path in (CHECKOUT / "aioregistry").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there == wanted
    assert {"aioregistry/py.typed", "aioregistry/ratelimit/shared.lua"} <= there


def test_the_wheel_works_apart_from_the_checkout(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "aioregistry/__init__.py")


def test_the_sdist_has_what_its_tests_need(built):
    (unpacked,) = (path for path in built.iterdir() if path.is_dir())
    for name in ("README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md", "pyproject.toml"):
        assert (unpacked / name).is_file(), name
    for name in ("aioregistry", "tests", "benchmarks", ".ci"):
        assert (unpacked / name).is_dir(), name
    assert not list(unpacked.rglob("__pycache__"))


def test_no_file_names_a_machine_or_an_index():
    places = ("constraints.txt", "pyproject.toml")
    for name in places:
        text = (CHECKOUT / name).read_text()
        assert "://" not in text.replace("https://semver.org", ""), name
