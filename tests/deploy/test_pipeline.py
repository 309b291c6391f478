"""The workflow that stands before a merge: when it runs, what it may, and that nothing can be left out of its gate."""

import copy
import re
import unittest

import yaml

from manifests import ROOT

TEXT = (ROOT / ".github/workflows/ci.yml").read_text()
WORKFLOW = yaml.safe_load(TEXT)
# What has to be run somewhere in it.
COMMANDS = [
    "./tests/run fmt clippy doc web",
    "./tests/run",
    "deploy/coverage",
    "deploy/scan dependencies",
    "deploy/scan secrets",
    "deploy/scan configuration",
    "deploy/docker/run-read-only onya:ci",
    "deploy/sbom --output sbom docker-archive:onya.tar",
    "deploy/scan image docker-archive:onya.tar",
]


def problems(workflow):
    # YAML 1.1 takes `on` for true.
    triggers, jobs = workflow[True], workflow["jobs"]
    if set(triggers) != {"push", "pull_request"} or any(each["branches"] != ["main", "develop"] for each in triggers.values()):
        yield "it is to run for main, develop and pull requests to them"
    if workflow["permissions"] != {}:
        yield "permissions are to be given to single jobs"
    for name, job in jobs.items():
        if set(job["permissions"].items()) - {("contents", "read")}:
            yield f"{name} may do more than read"
    if set(jobs["gate"]["needs"]) != set(jobs) - {"gate"}:
        yield "the gate is to need every other job"
    runs = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    for command in COMMANDS:
        if command not in runs:
            yield f"{command} is not run"
    for run in runs:
        for script in re.findall(r"^(?:\./)?((?:deploy|tests)/[\w./-]+)", run, re.MULTILINE):
            if not (ROOT / script).is_file():
                yield f"{script} is not there"


class Pipeline(unittest.TestCase):
    def test_it_is_the_gate(self):
        self.assertEqual(list(problems(WORKFLOW)), [])

    def test_what_would_open_the_gate_is_found(self):
        def dropped_job(workflow):
            workflow["jobs"]["gate"]["needs"].remove("scan")

        def dropped_trigger(workflow):
            workflow[True]["push"]["branches"] = ["main"]

        def more_permissions(workflow):
            workflow["jobs"]["image"]["permissions"]["packages"] = "write"

        def for_all_jobs(workflow):
            workflow["permissions"] = {"contents": "write"}

        def dropped_command(workflow):
            workflow["jobs"]["test"]["steps"].pop()

        def wrong_script(workflow):
            workflow["jobs"]["image"]["steps"].append({"run": "deploy/publish onya"})

        for mistake in (dropped_job, dropped_trigger, more_permissions, for_all_jobs, dropped_command, wrong_script):
            with self.subTest(mistake.__name__):
                changed = copy.deepcopy(WORKFLOW)
                mistake(changed)
                self.assertEqual(len(list(problems(changed))), 1)

    def test_actions_are_named_by_commit(self):
        used = re.findall(r"uses: (.+)", TEXT)
        self.assertGreater(len(used), 5)
        for each in used:
            self.assertRegex(each, r"^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


if __name__ == "__main__":
    unittest.main()
