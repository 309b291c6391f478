"""The compose file: by the schema of the Compose specification, and what it must say."""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import jsonschema

import compose
from checks_pods import CLOSING_MS
from compose import NODES
from facts import default
from manifests import ROOT

SCHEMA = json.loads((Path(os.environ["TEST_DEPLOY_NODE"]) / "node_modules/dclint/schemas/compose.schema.json").read_text())


def by_schema(document):
    return [error.json_path for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(document)]


class Compose(unittest.TestCase):
    def test_it_is_as_compose_takes_it(self):
        self.assertEqual(by_schema(compose.document()), [])
        changed = compose.document()
        changed["services"]["onya-1"]["read_onyl"] = True
        changed["services"]["nginx"]["depends_on"]["onya-1"]["condition"] = 1
        self.assertEqual(len(by_schema(changed)), 2)

    def test_what_has_no_default_has_to_be_filled_in(self):
        named = re.findall(r"\$\{(\w+)", (compose.FOLDER / "compose.yaml").read_text())
        self.assertEqual(set(named), set(compose.variables()))
        for missing in compose.FILLED_IN:
            with self.assertRaisesRegex(KeyError, missing):
                compose.document({**compose.variables(), **compose.FILLED_IN, missing: ""})

    def test_three_nodes_are_one_service(self):
        services = compose.services()
        environments = {name: services[name]["environment"] for name in NODES}
        differing = {key for key in environments["onya-1"] if len({each[key] for each in environments.values()}) > 1}
        self.assertEqual(differing, {"ONYA_NODE__NAME", "ONYA_CLUSTER__ADVERTISE"})
        for name, environment in environments.items():
            self.assertEqual(environment["ONYA_NODE__NAME"], name)
            self.assertEqual(environment["ONYA_CLUSTER__ADVERTISE"], f"{name}:{default('cluster.port')}")
        served = [f"{name}:{default('server.port')}" for name in NODES]
        self.assertEqual(services["nginx"]["environment"]["ONYA_SERVERS"].split(), served)

    def test_nobody_writes_to_its_root_or_is_reached_from_outside_but_nginx(self):
        for name, service in compose.services().items():
            with self.subTest(name):
                self.assertTrue(service["read_only"])
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertRegex(service["image"], r":(?!latest$)[\w.-]+$")
                for port in service.get("ports", []):
                    self.assertTrue(port.startswith("127.0.0.1:"), port)
                self.assertEqual("ports" in service, name == "nginx")

    def test_a_node_has_time_to_drain(self):
        drain = (sum(default(key) for key in ("drain.reply_limit_ms", "drain.sockets_window_ms")) + CLOSING_MS) / 1000
        for name in NODES:
            service = compose.services()[name]
            [hook] = service["pre_stop"]
            *command, limit = hook["command"]
            self.assertEqual(command, ["/usr/local/bin/onya", "drain", "--timeout"])
            self.assertGreater(int(limit), drain)
            self.assertGreater(int(service["stop_grace_period"].removesuffix("s")), int(limit) + drain)

    def test_every_file_that_is_mounted_is_there(self):
        for service in compose.services().values():
            for volume in service.get("volumes", []):
                if volume.startswith("."):
                    self.assertTrue((compose.FOLDER / volume.split(":")[0]).is_file(), volume)

    def test_a_real_nginx_takes_what_is_made_of_the_usual_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            site, main = Path(folder) / "onya.conf", Path(folder) / "nginx.conf"
            environment = {**os.environ, "ONYA_SERVERS": "127.0.0.11:3000 127.0.0.12:3000 127.0.0.13:3000"}
            script = [compose.FOLDER / "nginx-servers.sh", ROOT / "deploy/nginx/onya.conf", site]
            subprocess.run(script, env=environment, check=True)
            made = site.read_text()
            for server in environment["ONYA_SERVERS"].split():
                self.assertEqual(made.count(f"    server {server} max_fails"), 2, made)
            self.assertIn("hash $onya_conversation consistent;", made)
            for gone in ["server 127.0.0.1:3000 max", "listen 80;", "server_name chat.example.com;", "/var/log/"]:
                self.assertNotIn(gone, made.replace("    # ", ""))
            main.write_text(f"pid {folder}/pid;\nevents {{}}\nhttp {{ include {site}; }}\n")
            checked = subprocess.run([os.environ["TEST_NGINX"], "-t", "-e", "stderr", "-p", folder, "-c", main], capture_output=True, text=True, check=False)
            self.assertEqual(checked.returncode, 0, checked.stderr)


if __name__ == "__main__":
    unittest.main()
