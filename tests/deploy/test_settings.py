"""The program itself takes what the manifests and the compose file give it: settings, files with secrets, commands."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import compose
from facts import image_environment
from manifests import OVERLAYS, ROOT, Manifests, containers, render

ONYA = os.environ["ONYA_BIN"]
# What a cluster would put into the files, in the form that the program asks for.
SECRETS = {
    "database-url": "postgres://onya_serve_1:secret@postgres/onya",
    "redis-url": "redis://redis:6379",
    "signing-keys": "a:" + "0f" * 32,
    "openai-api-key": "sk-test",
}
RENDERED = {overlay: Manifests(overlay, render(overlay)) for overlay in OVERLAYS}
# Texts that name commands for people to type.
GUIDES = [ROOT / "docs/DEPLOYMENT.md", ROOT / "deploy/compose/compose.yaml", *(ROOT / "k8s").rglob("*.yaml")]


def onya(*arguments, environment=()):
    """Only these variables: nothing that a developer has exported counts."""
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([ONYA, *arguments], env=dict(environment), cwd=folder, capture_output=True, text=True, check=False)


def pod_environment(manifests, folder):
    """What a container of the statefulset is started with; the files of secrets lie in a folder of ours."""
    config = manifests.config()
    places = {"POD_NAME": "onya-0", "POD_NAMESPACE": manifests.server["metadata"]["namespace"]}
    environment = {**image_environment(), **config, **places}
    for name, value in config.items():
        for place, text in places.items():
            environment[name] = environment[name].replace(f"$({place})", text)
        if name.endswith("_FILE"):
            environment[name] = value.replace("/etc/onya/secrets", folder)
    return environment


class Settings(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for name, value in SECRETS.items():
            (Path(self.folder) / name).write_text(value + "\n")

    def test_a_pod_of_every_overlay_has_settings_that_the_program_takes(self):
        for overlay, manifests in RENDERED.items():
            with self.subTest(overlay):
                done = onya("check-config", environment=pod_environment(manifests, self.folder))
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn("onya-0", done.stdout)

    def test_a_setting_that_is_not_there_is_found(self):
        environment = pod_environment(RENDERED["production"], self.folder)
        for change, word in [({"ONYA_SERVER__PROT": "1"}, "ONYA_SERVER__PROT"), ({"LLM_PROVIDER": "mock"}, "refuses the mock model")]:
            done = onya("check-config", environment={**environment, **change})
            self.assertEqual(done.returncode, 1)
            self.assertIn(word, done.stderr)

    def test_the_nodes_of_compose_have_settings_that_the_program_takes(self):
        services = compose.services()
        self.assertLess(set(compose.NODES), set(services))
        for name in compose.NODES:
            with self.subTest(name):
                done = onya("check-config", environment={**image_environment(), **services[name]["environment"]})
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_command_that_is_named_exists(self):
        named = set()
        for overlay, manifests in RENDERED.items():
            for _, _, spec in manifests.templates():
                for container in containers(spec):
                    if container["image"].startswith("ghcr.io/onya-chat/onya:"):
                        named.add(tuple(container["args"]))
            named.add(tuple(manifests.container["lifecycle"]["preStop"]["exec"]["command"][1:]))
        for text in GUIDES:
            for command in re.findall(r"(?:`|\s|bin/)onya ((?:[a-z-]+ ?)+)(?=[`\n]|--)", text.read_text()):
                named.add(tuple(command.split()))
        self.assertIn(("drain",), named)
        for command in sorted(named):
            with self.subTest(" ".join(command)):
                done = onya(*command, "--help")
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(onya("drian", "--help").returncode, 2)


if __name__ == "__main__":
    unittest.main()
