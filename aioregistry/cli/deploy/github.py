"""A workflow for GitHub: a plan beside each change of the policy, a clean-up after it. Pure."""

import json

from aioregistry.cleanup.in_use.named import is_live
from aioregistry.cli.deploy.plan import CODES, Deployment
from aioregistry.cli.deploy.source import Source

__all__ = ["workflow_of"]

# A shell reads this: drift is no failure, and what was deleted is kept to undo.
_APPLY = """\
          code=0
          aioregistry cleanup apply plan.json --yes {options} || code=$?
          if [ "$code" -eq 3 ]; then
            echo "::notice::items that had changed meanwhile were kept"
            code=0
          fi
          exit "$code"
"""
# Of all comments, those of other workflows and people included, the one that this workflow made.
_COMMENT = """\
          comments="repos/$GH_REPO/issues/$NUMBER/comments"
          own='.[] | select(.user.login == "github-actions[bot]")
            | select(.body | startswith("{mark}")) | .id'
          ids=$(gh api --paginate --jq "$own" "$comments")
          id=$(tail -n 1 <<< "$ids")
          if [ -n "$id" ]; then
            gh api --silent --method PATCH "repos/$GH_REPO/issues/comments/$id" -F body=@plan.md
          else
            gh api --silent --method POST "$comments" -F body=@plan.md
          fi
"""


def workflow_of(deployment: Deployment, branch: str, secret: str, source: Source) -> str:
    """Return the workflow, for ``.github/workflows/``.

    Args:
        deployment: The run; its policy is at `policy_name` in the repository.
        branch: The branch whose policy is carried out.
        secret: The name of the secret with the token.
        source: Where the program is installed from.
    """
    policy = deployment.policy_name
    codes = "".join(f"# {line}\n" for line in CODES)
    # What could be a number is one to YAML, unless it is quoted.
    name = json.dumps(deployment.name)
    # Clusters are asked by what the extra has, those of an account included.
    asks = any(is_live(source) for source in deployment.in_use)
    install = source.requirement("cli,kubernetes" if asks else "cli")
    registry = [] if deployment.registry is None else [deployment.registry]
    words = ["cleanup", "plan", *registry, "--policy", policy, "--plan-file", "plan.json"]
    plan = " ".join(["aioregistry", *words, *deployment.evidence])
    return f"""\
# .github/workflows/{deployment.name}.yml
# A pull request that changes {policy} gets its plan as a comment. Once it is merged, and at each
# date of the schedule, a new plan is made and carried out. It needs the secret {secret}.
{codes}name: {name}

on:
  pull_request:
    paths: [{json.dumps(policy)}]
  push:
    branches: [{json.dumps(branch)}]
    paths: [{json.dumps(policy)}]
  schedule:
    - cron: "{deployment.when.cron}"
  workflow_dispatch:

permissions:
  contents: read

jobs:
{_planning(deployment, secret, install, plan)}
{_applying(deployment, branch, secret, install, plan)}"""


def _planning(deployment: Deployment, secret: str, install: str, plan: str) -> str:
    """Return the job that comments on a pull request.

    Args:
        deployment: The run.
        secret: The name of the secret with the token.
        install: What pip installs.
        plan: The command that makes the plan.
    """
    mark = f"<!-- {deployment.name} -->"
    return f"""\
  plan:
    # A fork has no secret; its policy is checked all the same.
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      contents: read
      pull-requests: write
    steps:
      - uses: actions/checkout@v5
        with:
          persist-credentials: false
      - uses: actions/setup-python@v6
        with:
          python-version: "3.13"
      - run: pip install '{install}'
      - run: aioregistry cleanup check {deployment.policy_name}
      - name: Plan
        if: github.event.pull_request.head.repo.full_name == github.repository
        env:
          DIGITALOCEAN_TOKEN: ${{{{ secrets.{secret} }}}}
        run: |
          {plan}
          {{
            echo '{mark}'
            aioregistry cleanup show plan.json -o md
          }} > plan.md
          # A comment has 65,536 characters at most.
          truncate --size='<60000' plan.md
      - name: Comment
        if: github.event.pull_request.head.repo.full_name == github.repository
        env:
          GH_TOKEN: ${{{{ github.token }}}}
          NUMBER: ${{{{ github.event.pull_request.number }}}}
          GH_REPO: ${{{{ github.repository }}}}
        run: |
{_COMMENT.format(mark=mark).rstrip()}
      - uses: actions/upload-artifact@v6
        if: github.event.pull_request.head.repo.full_name == github.repository
        with:
          name: plan
          path: plan.json
"""


def _applying(deployment: Deployment, branch: str, secret: str, install: str, plan: str) -> str:
    """Return the job that carries a plan out.

    Args:
        deployment: The run.
        branch: The branch whose policy is carried out.
        secret: The name of the secret with the token.
        install: What pip installs.
        plan: The command that makes the plan.
    """
    options = " ".join([*deployment.evidence, *deployment.limits])
    return f"""\
  apply:
    if: github.event_name != 'pull_request'
    runs-on: ubuntu-latest
    timeout-minutes: 350
    concurrency:
      group: {json.dumps(deployment.name)}
      cancel-in-progress: false
    steps:
      - uses: actions/checkout@v5
        with:
          persist-credentials: false
          ref: {json.dumps(branch)}
      - uses: actions/setup-python@v6
        with:
          python-version: "3.13"
      - run: pip install '{install}'
      - name: Plan
        env:
          DIGITALOCEAN_TOKEN: ${{{{ secrets.{secret} }}}}
        run: |
          {plan}
          aioregistry cleanup show plan.json -o md > plan.md
          # A summary of more than 1 MiB is dropped as a whole.
          head --bytes=1000000 plan.md >> "$GITHUB_STEP_SUMMARY"
      - name: Apply
        env:
          DIGITALOCEAN_TOKEN: ${{{{ secrets.{secret} }}}}
          # Where there is this secret, the webhook whose address it has is told how each run ended.
          AIOREGISTRY_NOTIFY: ${{{{ secrets.AIOREGISTRY_NOTIFY }}}}
        run: |
{_APPLY.format(options=options).rstrip()}
      # With plan.json.archive, `aioregistry cleanup undo plan.json` restores what was deleted.
      - uses: actions/upload-artifact@v6
        if: always()
        with:
          name: plan
          path: plan.json*
"""
