"""Every overlay, strictly by the schemas of the Kubernetes versions that are served, and custom resources by the types and
schemas of their definitions."""

import copy
import json
import os
import subprocess
import unittest
from pathlib import Path

import kubernetes_validate

from manifests import OVERLAYS, Manifests, render

# The oldest that docs/DEPLOYMENT.md promises, and those that are maintained.
VERSIONS = ["1.28", "1.34", "1.35", "1.36", "1.37"]
HERE = Path(__file__).parent

RENDERED = {overlay: Manifests(overlay, render(overlay)).objects for overlay in OVERLAYS}
# Most of them stand in several overlays.
DISTINCT = list({json.dumps(each): each for objects in RENDERED.values() for each in objects}.values())


def is_custom(each):
    group = each["apiVersion"].rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io") or group == "gateway.networking.k8s.io"


def validate(objects, version):
    """A sentence for each object that the version would refuse."""
    found = []
    for each in objects:
        try:
            kubernetes_validate.validate(each, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{each['kind']}/{each['metadata']['name']}: {error.message}")
    return found


def validate_custom(objects):
    """What the definitions of custom resources have against them, in words; nothing if all is well."""
    command = ["node", HERE / "custom-resources.mjs", os.environ["TEST_DEPLOY_NODE"]]
    done = subprocess.run(command, input=json.dumps(objects), capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


class Schemas(unittest.TestCase):
    def test_every_served_version_takes_every_overlay(self):
        builtin = [each for each in DISTINCT if not is_custom(each)]
        for version in VERSIONS:
            with self.subTest(version):
                self.assertEqual(validate(builtin, version), [])

    def test_what_a_version_does_not_know_or_take_is_found(self):
        for mistake in [{"preStopp": {}}, {"preStop": {"exec": {"command": "onya drain"}}}, {"preStop": {"sleep": {"seconds": 5}}}]:
            objects = copy.deepcopy(RENDERED["production"])
            server = next(each for each in objects if each["kind"] == "StatefulSet")
            server["spec"]["template"]["spec"]["containers"][0]["lifecycle"] = mistake
            self.assertEqual(len(validate([server], "1.28")), 1, mistake)

    def test_custom_resources_are_as_they_are_defined(self):
        objects = [each for each in DISTINCT if is_custom(each)]
        kinds = {each["kind"] for each in objects}
        expected = {"Gateway", "HTTPRoute", "HTTPRouteFilter", "BackendTrafficPolicy", "Certificate", "ExternalSecret", "DestinationRule", "PeerAuthentication"}
        self.assertEqual(kinds, expected)
        self.assertEqual(validate_custom(objects), "")

    def test_a_mistake_in_a_custom_resource_is_found(self):
        secret = next(each for each in RENDERED["production"] if each["kind"] == "ExternalSecret")
        policy = next(each for each in RENDERED["production"] if each["kind"] == "BackendTrafficPolicy")
        changed = [copy.deepcopy(each) for each in (secret, secret, secret, policy)]
        changed[0]["spec"]["refreshIntervall"] = "1h"
        changed[1]["spec"]["refreshInterval"] = 3600
        changed[2]["apiVersion"] = "external-secrets.io/v2"
        changed[3]["spec"]["loadBalancer"] = {"type": "Hash"}
        found = validate_custom(changed)
        for words in ["\"refreshIntervall\"' does not exist", "refreshInterval must be string", "external-secrets.io/v2", "loadBalancer/type must be equal"]:
            self.assertIn(words, found)


if __name__ == "__main__":
    unittest.main()
