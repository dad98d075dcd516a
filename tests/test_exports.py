"""What is public: the names that the package and its modules export."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import aioregistry
import aioregistry.errors
from aioregistry.version import VERSION

PACKAGE = Path(aioregistry.__file__).parent


def all_modules() -> list[str]:
    return ["aioregistry"] + [
        info.name
        for info in pkgutil.walk_packages([str(PACKAGE)], "aioregistry.")
        if not info.name.endswith("__main__")
    ]


@pytest.mark.parametrize("name", all_modules())
def test_all_names_what_is_there(name):
    module = importlib.import_module(name)
    for entry in getattr(module, "__all__", []):
        assert hasattr(module, entry)


def test_all_is_sorted():
    assert list(aioregistry.__all__) == sorted(aioregistry.__all__)


def test_all_names_everything_that_the_package_exports():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    exported = {
        alias.name
        for line in ast.walk(tree)
        if isinstance(line, ast.ImportFrom) and (line.module or "").startswith("aioregistry.")
        for alias in line.names
    }
    assert exported == set(aioregistry.__all__)
    assert set(aioregistry._HOMES) == exported


def test_every_name_is_what_type_checkers_take_it_for():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    for line in ast.walk(tree):
        if isinstance(line, ast.ImportFrom) and (line.module or "").startswith("aioregistry."):
            home = importlib.import_module(line.module)
            for alias in line.names:
                assert getattr(aioregistry, alias.name) is getattr(home, alias.name)


def test_the_version_is_where_tools_and_reports_of_errors_look_for_it():
    assert aioregistry.__version__ == VERSION


def test_a_name_that_is_not_there_is_no_attribute():
    with pytest.raises(AttributeError, match="RegistryClientt"):
        aioregistry.RegistryClientt  # noqa: B018


def test_the_commands_help_loads_no_http_client():
    code = (
        "import sys; from typer.testing import CliRunner; from aioregistry.cli.app import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        "sys.exit('aiohttp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_everything_public_has_a_docstring():
    for name in aioregistry.__all__:
        value = getattr(aioregistry, name)
        if isinstance(value, type):
            assert value.__doc__, name
            for attribute, member in vars(value).items():
                if not attribute.startswith("_") and callable(member):
                    assert member.__doc__, f"{name}.{attribute}"


def test_types_are_shipped():
    assert (PACKAGE / "py.typed").exists()


def test_a_former_name_still_works_and_says_the_new_one():
    with pytest.warns(DeprecationWarning, match="now called RateLimitHeaders"):
        assert aioregistry.ServerWord is aioregistry.RateLimitHeaders


def test_the_errors_are_an_attribute_of_the_package():
    code = "import aioregistry as a; assert a.errors.NotFoundError is a.NotFoundError"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


_BARE = """
import sys
for name in ("platformdirs", "filelock", "re2", "yaml", "rich", "typer", "redis", "docket"):
    sys.modules[name] = None
import aioregistry.cleanup, aioregistry.images, aioregistry.usage
try:
    aioregistry.cleanup.default_cache_path()
except ModuleNotFoundError as error:
    print(error)
"""


def test_what_needs_no_extra_is_imported_without_one():
    done = subprocess.run(
        [sys.executable, "-c", _BARE], capture_output=True, text=True, check=True, timeout=120
    )
    assert "platformdirs: pip install 'aioregistry-do[cleanup]'" in done.stdout
