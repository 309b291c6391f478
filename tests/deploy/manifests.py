"""Overlays as `kubectl kustomize` renders them, and what is asked of them again and again."""

import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ["TEST_DEPLOY_BIN"])

OVERLAYS = {
    "development": ROOT / "k8s/overlays/development",
    "staging": ROOT / "k8s/overlays/staging",
    "production": ROOT / "k8s/overlays/production",
    "production-ingress": ROOT / "k8s/overlays/production-ingress",
    "production-istio": ROOT / "tests/deploy/production-istio",
}


def environment_of(overlay):
    """The name of the environment: production, however customers come in."""
    return overlay.split("-")[0]


def render(overlay):
    """What a cluster would be sent."""
    command = [BIN / "kubectl", "kustomize", OVERLAYS[overlay]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Manifests:
    """The objects of one overlay."""

    def __init__(self, overlay, text):
        self.overlay = overlay
        self.objects = [each for each in yaml.safe_load_all(text) if each]

    def of(self, *kinds):
        return [each for each in self.objects if each["kind"] in kinds]

    def named(self, kind, name):
        found = [each for each in self.of(kind) if each["metadata"]["name"] == name]
        return found[0] if found else None

    @property
    def server(self):
        return self.named("StatefulSet", "onya")

    @property
    def pod(self):
        """The specification of the server's pods."""
        return self.server["spec"]["template"]["spec"]

    @property
    def container(self):
        return self.pod["containers"][0]

    def templates(self):
        """(name, labels, specification) of all pods."""
        for each in self.of("StatefulSet", "Deployment", "Job"):
            template = each["spec"]["template"]
            yield each["metadata"]["name"], template["metadata"]["labels"], template["spec"]

    def secrets(self):
        """The keys of each secret, given or to be fetched."""
        keys = {}
        for secret in self.of("Secret"):
            keys[secret["metadata"]["name"]] = set(secret.get("data", {}))
        for secret in self.of("ExternalSecret"):
            keys[secret["spec"]["target"]["name"]] = {entry["secretKey"] for entry in secret["spec"]["data"]}
        return keys

    def config(self, pod_spec=None):
        """The variables of a container that are no secret and no field of the pod."""
        container = (pod_spec or self.pod)["containers"][0]
        variables = {}
        for source in container.get("envFrom", []):
            variables.update(self.named("ConfigMap", source["configMapRef"]["name"])["data"])
        variables.update({each["name"]: each["value"] for each in container.get("env", []) if "value" in each})
        return variables


def containers(pod_spec):
    return pod_spec.get("initContainers", []) + pod_spec["containers"]


def selects(selector, labels):
    """Whether a selector, given as labels, covers a pod."""
    return all(labels.get(key) == value for key, value in selector.items())
