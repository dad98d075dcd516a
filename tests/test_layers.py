"""The shape of the house: rooms, their floors, their sizes, and where each library is known."""

import ast
import re
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import aioregistry

PACKAGE = Path(aioregistry.__file__).parent

# From the ground up: a room imports only from floors below its own. aioregistry/README.md has them
# with a sentence for each.
FLOORS = [
    {"arguments", "errors", "files", "sizes", "version"},
    {"api", "ratelimit"},
    {"session", "paging", "redis", "sandbox"},
    {"bulk", "oci"},
    {"client"},
    {"cleanup", "testing"},
    {"images"},
    {"usage", "fleet"},
    {"report"},
    {"web"},
    {"cli"},
]
CLEANUP_FLOORS = [
    {"policy", "state_folder"},
    {"manifests"},
    {"in_use", "memory"},
    {"plan"},
    {"records"},
    {"apply", "garbage"},
    {"undo"},
]
CLI_FLOORS = [
    {"errors", "exit_codes", "help", "process"},
    {"mistakes"},
    {"groups", "options"},
    {"display", "settings"},
    {"demo", "docker", "connection", "runs"},
    {"running"},
    {"asking", "undo"},
    {"cleanup"},
    {"images", "deletes", "usage", "fleet", "deploy"},
    {"commands", "completion"},
    {"app"},
]
MAX_FILES = 15
MAX_LINES = 400

MODULES = {
    ".".join(("aioregistry", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# A door opens to the rooms behind it: what it imports is not part of the order.
DOORS = {
    "aioregistry",
    "aioregistry.__main__",
    "aioregistry.cleanup",
    "aioregistry.fleet",
    "aioregistry.images",
    "aioregistry.report",
    "aioregistry.usage",
}
# What is still to be mended; nothing may be added.
UPWARDS: set[tuple[str, str]] = set()
TOO_LONG: set[str] = set()
WITHOUT_README: set[str] = set()


@cache
def imported_modules(module: str) -> set[str]:
    """The modules of this package that one imports, anywhere in it, those for types included."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aioregistry"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in MODULES else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in MODULES}
    return found - {module}


def room(module: str) -> str:
    return [*module.split("."), ""][1]


def floors_of(floors: list[set[str]]) -> dict[str, int]:
    return {name: floor for floor, names in enumerate(floors) for name in names}


def test_imports_go_down_only():
    floor = floors_of(FLOORS)
    for module in sorted(set(MODULES) - DOORS):
        assert room(module) in floor, f"{module} is in a room without a floor"
        for name in imported_modules(module):
            if room(name) != room(module) and (room(module), room(name)) not in UPWARDS:
                assert room(name), f"{module} imports {name}, the front door"
                assert floor[room(name)] < floor[room(module)], f"{module} imports {name}"


@pytest.mark.parametrize(("outer", "floors"), [("cleanup", CLEANUP_FLOORS), ("cli", CLI_FLOORS)])
def test_imports_within_a_room_go_down_only(outer, floors):
    floor = floors_of(floors)
    for module in [name for name in MODULES if name.startswith(f"aioregistry.{outer}.")]:
        own = module.split(".")[2]
        assert own in floor, f"{module} is in a room without a floor"
        for name in imported_modules(module):
            if room(name) == outer and name != f"aioregistry.{outer}":
                below = name.split(".")[2]
                assert below == own or floor[below] < floor[own], f"{module} imports {name}"


def test_no_modules_import_each_other_in_a_circle():
    graph = {
        module: {
            name
            for name in imported_modules(module)
            if (room(module), room(name)) not in UPWARDS and name not in DOORS
        }
        for module in set(MODULES) - DOORS
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("library", ["aiohttp", "aiolimiter", "cattrs"])
def test_a_library_is_known_where_it_belongs(library):
    homes = {
        "aiohttp": {"session.alike", "session.connections", "session.transport", "oci.transport"},
        "aiolimiter": {"ratelimit.limiter"},
        "cattrs": {"api.conversion"},
    }
    users = set()
    for module, path in MODULES.items():
        if room(module) in {"sandbox", "testing", "web"}:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        # What only type checkers read may name the public face's types.
        tree.body = [node for node in tree.body if not isinstance(node, ast.If)]
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.split(".")[0] == library for name in names):
                users.add(module.removeprefix("aioregistry."))
    assert users == homes[library]


def test_imports_are_absolute():
    for module, path in MODULES.items():
        assert not re.search(r"^\s*from \.", path.read_text("utf-8"), re.MULTILINE), module


FOLDERS = sorted({path.parent for path in MODULES.values()})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_room_has_at_most_fifteen_files(folder):
    files = [path.name for path in folder.iterdir() if path.is_file()]
    assert len([name for name in files if name.endswith((".py", ".lua"))]) <= MAX_FILES, files


def test_a_file_has_at_most_400_lines():
    lines = {
        module.removeprefix("aioregistry."): len(path.read_text("utf-8").splitlines())
        for module, path in MODULES.items()
    }
    assert {module for module, count in lines.items() if count > MAX_LINES} <= TOO_LONG


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_room_says_what_it_is_for(folder):
    if folder.name not in WITHOUT_README:
        assert (folder / "README.md").is_file(), f"{folder.name} has no README.md"


def test_every_room_of_the_listing_is_there():
    rooms = {room(module) for module in MODULES} - {"", "__main__"}
    assert rooms == set().union(*FLOORS)


def test_the_design_lists_every_room():
    text = (PACKAGE / "README.md").read_text("utf-8")
    for name in set().union(*FLOORS, *CLEANUP_FLOORS):
        assert f"`{name}/`" in text or f"`{name}.py`" in text, name


def test_the_rooms_are_connected_by_few_arrows():
    arrows = defaultdict(set)
    for module in set(MODULES) - DOORS:
        for name in imported_modules(module):
            # The ground is under all of them.
            if room(name) not in {room(module), *FLOORS[0]}:
                arrows[room(module)].add(room(name))
    assert sum(len(rooms) for rooms in arrows.values()) <= 67
