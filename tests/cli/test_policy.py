"""The commands on policies, and what clean-ups ask of images in use."""

import json

import pytest

from tests.cleanup.registries import signature_tag

OLD = '[[rules]]\ntags = "old*"\ndelete-older-than = "30d"\n'


BAD_KEY = "error: rules[0].keep-newst: is no key of a policy; did you mean keep-newest?"
BAD_VALUE = "error: rules[1].delete: must be true, or be left out, not 1"


def write(shell, name: str, text: str) -> None:
    (shell.folder / name).write_text(text)


@pytest.fixture
def filled(shell):
    shell.builder.image("old", days=900)
    shell.builder.image("older", days=901)
    for name in ("a", "b", "c"):
        shell.builder.image(name, days=0)
    write(shell, "policy.toml", OLD)
    return shell


def test_a_policy_is_checked_without_a_token(shell, monkeypatch):
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    write(shell, "good.toml", OLD)
    write(shell, "bad.yaml", "rules:\n- keep-newst: 3\n- delete: 1\n")
    result = shell.run("cleanup", "check", "good.toml", "bad.yaml")
    assert result.exit_code == 1
    assert result.stdout.startswith(f"good.toml: a valid policy\nbad.yaml: line 2: {BAD_KEY}\n")
    assert result.stdout.endswith(f"bad.yaml: line 3: {BAD_VALUE}\nbad.yaml: 3 mistakes\n")
    assert shell.run("cleanup", "check", "good.toml").exit_code == 0


def test_a_rule_without_effect_is_a_note_and_no_failure(shell):
    write(shell, "p.toml", OLD + OLD.replace("30d", "60d"))
    result = shell.run("cleanup", "check", "p.toml")
    assert result.exit_code == 0
    assert "line 4: note: rule 2 has no effect" in result.stdout
    assert "a valid policy, with 1 note" in result.stdout


@pytest.mark.parametrize(("name", "code"), [("gone.toml", 2), ("p.txt", 1), ("latin.toml", 1)])
def test_a_file_that_cannot_be_read_is_said(shell, name, code):
    write(shell, "p.txt", OLD)
    (shell.folder / "latin.toml").write_bytes(b"name = '\xff'")
    result = shell.run("cleanup", "check", name)
    assert result.exit_code == code
    assert name in result.output


def test_the_schema_is_json(shell):
    assert "rules" in json.loads(shell.run("cleanup", "schema").stdout)["properties"]


def test_a_tag_is_explained(filled):
    write(filled, "policy.toml", '[[rules]]\ntags = "pr-*"\nkeep = true\n' + OLD)
    result = filled.run("cleanup", "explain", "web:old", "--policy", "policy.toml")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("web:old is on sha256:")
    assert lines[1:] == [
        "  rule 1 does not match it",
        "* rule 2 deletes it: older than 30d",
        "deleted: older than 30d",
    ]


def test_what_cannot_be_explained_is_wrong_usage(filled):
    without = filled.run("cleanup", "explain", "web", "--policy", "policy.toml")
    assert without.exit_code == 2
    assert "names no tag" in without.stderr
    gone = filled.run("cleanup", "explain", "web:gone", "--policy", "policy.toml")
    assert gone.exit_code == 1
    assert "no tag 'gone'" in gone.stderr


def plan(filled, *more, stdin=""):
    return filled.run(
        "cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json", *more, stdin=stdin
    )


def test_what_was_read_and_found_is_printed_and_in_the_plan(filled):
    write(filled, "running.txt", "example/web:old\nexample/web:gone\nbusybox\n")
    result = plan(filled, "--in-use", "running.txt")
    said = "in use: 3 references read, 2 of this registry, 1 found, 1 not found: example/web:gone"
    assert said in result.stdout.replace("\n", " ")
    recorded = json.loads((filled.folder / "plan.json").read_text())["plan"]["in_use"]
    assert recorded["read"] == 3
    assert "in use: not asked" in plan(filled, "--plan-file", "other.json").stdout


@pytest.mark.parametrize(
    ("again", "left"),
    [
        ((), None),
        (("--in-use", "now.txt"), {"older", "a", "b", "c"}),
        (("--in-use", "plan"), {"old", "a", "b", "c"}),
        (("--in-use", "none"), {"old", "a", "b", "c"}),
    ],
)
def test_a_plan_made_with_what_is_in_use_is_not_applied_without(filled, again, left):
    write(filled, "then.txt", "example/web:old\n")
    write(filled, "now.txt", "example/web:older\n")
    plan(filled, "--in-use", "then.txt")
    result = filled.run("cleanup", "apply", "plan.json", "--yes", *again)
    if left is None:
        assert result.exit_code == 2
        assert "give --in-use again, or --in-use plan" in result.stderr
        assert filled.deletes() == 0
    elif "now.txt" in again:
        assert result.exit_code == 3
        assert filled.tags() == {"old", "older", "a", "b", "c"}
    else:
        assert result.exit_code == 0, result.output
        assert filled.tags() == left


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--in-use", "none", "--in-use", "x"], "exclude each other"),
        (["--in-use", "plan"], "no plan that recorded what is in use"),
        (["--in-use", "-"], "no image at all"),
    ],
)
def test_what_cannot_be_read_for_certain_is_wrong_usage(filled, arguments, problem):
    result = plan(filled, *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr


def test_where_nothing_runs_that_is_said(filled):
    result = plan(filled, "--in-use", "none")
    assert result.exit_code == 0
    assert "in use: nothing, as stated" in result.stdout


def test_kinds_without_an_image_may_be_ignored(filled):
    objects = [
        {"kind": "Widget", "metadata": {"name": "w"}},
        {"kind": "Pod", "spec": {"containers": [{"image": "example/web:old"}]}},
    ]
    text = json.dumps({"kind": "List", "items": objects})
    refused = plan(filled, "--in-use", "-", stdin=text)
    assert refused.exit_code == 2
    assert "--in-use-ignore Widget" in refused.stderr
    ignored = plan(filled, "--in-use", "-", "--in-use-ignore", "Widget", stdin=text)
    assert ignored.exit_code == 0, ignored.output


def test_a_plan_says_what_apply_refuses_and_which_rules_had_no_effect(filled):
    rule = '[[rules]]\ntags = "x*"\ndelete = true\n'
    write(filled, "policy.toml", "max-fraction = 0.1\n" + OLD + rule)
    result = plan(filled)
    assert result.exit_code == 0
    assert "apply refuses this plan: more than 10% of the tags" in result.stdout
    assert "note: rule 2 matched nothing" in result.stdout
    assert filled.run("cleanup", "apply", "plan.json", "--yes").exit_code == 4


def test_a_limit_of_the_policy_may_allow_more(filled):
    write(filled, "policy.toml", "max-fraction = 1\n[[rules]]\ndelete = true\n")
    plan(filled)
    result = filled.run("cleanup", "apply", "plan.json", "--yes")
    assert result.exit_code == 0, result.output
    assert len(filled.tags()) == 1


def test_excluded_repositories_are_left_alone(filled):
    write(filled, "policy.toml", 'exclude = ["we*"]\n' + OLD)
    assert "nothing to delete" in plan(filled).stdout


def test_a_signature_in_use_is_kept(filled):
    image = filled.builder.image("signed", days=900)
    filled.builder.signature(image, days=900)
    write(filled, "running.txt", f"example/web:{signature_tag(image)}\n")
    filled.run(
        *("cleanup", "run", "--policy", "policy.toml", "--yes", "--in-use", "running.txt"),
        "--max-fraction",
        "1",
    )
    assert signature_tag(image) in filled.tags()


@pytest.mark.parametrize("command", ["plan", "run", "explain web:pr-1"])
def test_all_mistakes_of_a_policy_are_printed_at_once(shell, command):
    write(
        shell,
        "bad.toml",
        '[[rules]]\ndelete = true\ntagz = "x"\n[[rules]]\nkeep-newest = "three"\n',
    )
    result = shell.run("cleanup", *command.split(), "--policy", "bad.toml")
    assert result.exit_code == 2
    assert "bad.toml: line 3: error: rules[0].tagz" in result.stderr
    assert "bad.toml: line 5: error: rules[1].keep-newest" in result.stderr
    assert "bad.toml: 2 mistakes" in result.stderr
    assert shell.sandbox.requests == []
