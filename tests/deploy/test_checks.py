"""Every overlay is as it must be, and what would be wrong with it is found: each mistake below is made in a rendered overlay,
and the check that is there for it has to say so."""

import copy
import unittest

from checks import problems
from manifests import OVERLAYS, Manifests, render

RENDERED = {overlay: Manifests(overlay, render(overlay)) for overlay in OVERLAYS}


def at(node, *path):
    for step in path:
        node = node[step]
    return node


def change(kind, name, *path, to):
    """Sets what lies at a path of an object."""

    def apply(manifests):
        at(manifests.named(kind, name), *path[:-1])[path[-1]] = to

    return apply


def drop(kind, name, *path):
    """Removes what lies at a path of an object, or the whole object."""

    def apply(manifests):
        if path:
            del at(manifests.named(kind, name), *path[:-1])[path[-1]]
        else:
            manifests.objects.remove(manifests.named(kind, name))

    return apply


def config(variable, value):
    def apply(manifests):
        source = manifests.container["envFrom"][0]["configMapRef"]["name"]
        manifests.named("ConfigMap", source)["data"][variable] = value

    return apply


def add_variable(**variable):
    return lambda manifests: manifests.container["env"].append(variable)


def replace_variable(name, value):
    def apply(manifests):
        next(each for each in manifests.container["env"] if each["name"] == name)["value"] = value

    return apply


POD = ("spec", "template", "spec")
BOX = (*POD, "containers", 0)
LABELS = ("spec", "template", "metadata", "labels")

# Overlay, mistake, and part of the sentence that has to come.
MISTAKES = [
    ("staging", change("StatefulSet", "onya", "spec", "replicas", to=3), "replicas are to be 2"),
    ("production", change("StatefulSet", "onya", *BOX, "resources", "requests", "memory", to="512Mi"), "requests are to be 1024Mi"),
    ("development", drop("StatefulSet", "onya", *BOX, "resources", "limits"), "limits are to be 512Mi"),
    ("production", config("TRACE_SAMPLING_RATE", "1.0"), "TRACE_SAMPLING_RATE is to be 0.1"),
    ("staging", config("ONYA_PROFILE", "production"), "ONYA_PROFILE is to be staging"),
    ("production", change("StatefulSet", "onya", "spec", "replicas", to=3), "replicas beside an autoscaler"),
    ("production", drop("HorizontalPodAutoscaler", "onya"), "production has an autoscaler"),
    ("production", change("HorizontalPodAutoscaler", "onya", "spec", "scaleTargetRef", "kind", to="Deployment"), "scales what is not there"),
    ("production", change("HorizontalPodAutoscaler", "onya", "spec", "maxReplicas", to=10), "from 3 to 20"),
    ("production", change("HorizontalPodAutoscaler", "onya", "spec", "metrics", 0, "resource", "target", "averageUtilization", to=80), "CPU at 70 %"),
    ("production", change("HorizontalPodAutoscaler", "onya", "spec", "metrics", 1, "pods", "metric", "name", to="onya_sockets"), "no metric onya_sockets"),
    ("production", change("HorizontalPodAutoscaler", "onya", "spec", "metrics", 1, "pods", "target", "averageValue", to="10000"), "full of sockets"),
    ("staging", change("PodDisruptionBudget", "onya", "spec", to={"minAvailable": 2, "selector": {"matchLabels": {"app.kubernetes.io/name": "onya"}}}), "block every drain"),
    ("production", change("PodDisruptionBudget", "onya", "spec", "minAvailable", to=1), "two pods of production"),
    ("production", change("StatefulSet", "onya", *POD, "terminationGracePeriodSeconds", to=90), "a grace period of 90000 ms is too short"),
    ("production", config("ONYA_DRAIN__SOCKETS_WINDOW_MS", "60000"), "are too short for a drain of 90000 ms"),
    ("production", change("StatefulSet", "onya", *BOX, "lifecycle", "preStop", "exec", "command", to=["onya", "drain"]), "onya drain --timeout"),
    ("production", drop("StatefulSet", "onya", *BOX, "lifecycle"), "onya drain"),
    ("production", change("Service", "onya", "spec", "selector", "app.kubernetes.io/component", to="edge"), "Service onya selects no pod"),
    ("production", drop("Service", "onya", "spec", "selector", "app.kubernetes.io/component"), "Service onya selects pods of onya and onya-migrate"),
    ("production", drop("StatefulSet", "onya", "spec", "selector", "matchLabels", "app.kubernetes.io/component"), "does not select its own pods alone"),
    ("production", change("StatefulSet", "onya", *POD, "topologySpreadConstraints", 0, "labelSelector", "matchLabels", to={"app": "onya"}), "StatefulSet onya selects no pod"),
    ("production", change("NetworkPolicy", "onya", "spec", "podSelector", "matchLabels", to={"app": "onya"}), "NetworkPolicy onya selects no pod"),
    ("production", drop("Service", "onya-pods"), "no headless Service"),
    ("production", change("Service", "onya-pods", "spec", "publishNotReadyAddresses", to=False), "cannot find each other"),
    ("production", change("Service", "onya-pods", "spec", "selector", "colour", to="blue"), "of one colour"),
    ("production", replace_variable("ONYA_CLUSTER__ADVERTISE", "onya-pods:7400"), "reached by the others as $(POD_NAME).onya-pods"),
    ("production", change("StatefulSet", "onya", *BOX, "ports", 0, "containerPort", to=8080), "port http is 8080, and 3000 in the code"),
    ("production", drop("StatefulSet", "onya", *BOX, "ports", 2), "the image exposes other ports"),
    ("production", change("StatefulSet", "onya", "spec", "template", "metadata", "annotations", "prometheus.io/port", to="9090"), "scraped at another port"),
    ("production", change("Service", "onya", "spec", "ports", 0, "targetPort", to="web"), "Service onya names the port web"),
    ("production", change("NetworkPolicy", "from-gateway", "spec", "ingress", 0, "ports", 0, "port", to=8080), "from-gateway names the port 8080"),
    ("production", change("StatefulSet", "onya", *BOX, "livenessProbe", "httpGet", "port", to="health"), "livenessProbe names the port health"),
    ("production", change("StatefulSet", "onya", *BOX, "livenessProbe", "httpGet", "path", to="/health"), "livenessProbe is to ask /health/live"),
    ("production", change("ExternalSecret", "onya", "spec", "data", 0, "secretKey", to="database_url"), "no secret brings /etc/onya/secrets/database-url"),
    ("production", change("ExternalSecret", "onya-migrate", "spec", "target", "name", to="other"), "needs the secret onya-migrate"),
    ("production", change("ExternalSecret", "onya-migrate", "spec", "data", 0, "secretKey", to="url"), "onya-migrate: no secret brings"),
    ("production", replace_variable("REDIS_URL_FILE", "/etc/onya/redis-url"), "no secret brings /etc/onya/redis-url"),
    ("production", add_variable(name="A", valueFrom={"secretKeyRef": {"name": "onya", "key": "nothing"}}), "onya has no key nothing"),
    ("production", add_variable(name="A", valueFrom={"secretKeyRef": {"name": "onya", "key": "redis-url"}}), "in the environment, not in a file"),
    ("production", add_variable(name="OPENAI_API_KEY", value="sk"), "in the environment, not in a file"),
    ("production", change("StatefulSet", "onya", *POD, "securityContext", "runAsUser", to=0), "the image's user is 65532"),
    ("production", change("StatefulSet", "onya", *POD, "securityContext", "runAsNonRoot", to=False), "onya may be root"),
    ("production", drop("Job", "onya-migrate", *POD, "enableServiceLinks"), "onya-migrate gets variables of Services"),
    ("production", change("StatefulSet", "onya", *POD, "automountServiceAccountToken", to=True), "gets a token for the API server"),
    ("production", change("StatefulSet", "onya", *BOX, "securityContext", "readOnlyRootFilesystem", to=False), "onya/onya is not locked down"),
    ("development", drop("StatefulSet", "postgres", *BOX, "securityContext", "capabilities"), "postgres/postgres is not locked down"),
    ("production", change("StatefulSet", "onya", *BOX, "volumeMounts", 0, "mountPath", to="/data"), "only /var/lib/onya/data and /tmp"),
    ("production", change("StatefulSet", "onya", *BOX, "image", to="ghcr.io/onya-chat/onya:latest"), "whatever image is newest"),
    ("production", change("StatefulSet", "onya", *BOX, "image", to="ghcr.io/onya-chat/onya:0.2.0"), "another version than the one that runs"),
    ("production", drop("NetworkPolicy", "default-deny"), "is not denied"),
    ("production", change("NetworkPolicy", "default-deny", "spec", "policyTypes", to=["Ingress"]), "is not denied"),
    ("production", drop("NetworkPolicy", "dns"), "onya cannot look up names"),
    ("production", drop("NetworkPolicy", "onya-migrate"), "onya-migrate cannot reach PostgreSQL"),
    ("production", drop("NetworkPolicy", "onya"), "the pods cannot reach each other"),
    ("production", change("NetworkPolicy", "onya", "spec", "ingress", 0, "from", to=[{"podSelector": {}}]), "somebody else than the pods"),
    ("production", change("NetworkPolicy", "from-gateway", "spec", "ingress", 0, "ports", to=[{"port": "http"}, {"port": "link"}]), "somebody else than the pods"),
    ("production", drop("NetworkPolicy", "from-gateway"), "customers cannot come in"),
    ("production", change("HTTPRoute", "conversations", "spec", "rules", 0, "backendRefs", 0, "port", to=80), "leads to onya:80"),
    ("production", drop("HTTPRoute", "everything-else", "spec", "rules", 0), "strangers can ask for /health"),
    ("production-ingress", change("Ingress", "onya", "spec", "rules", 0, "http", "paths", 0, "pathType", to="Prefix"), "strangers can ask for /health"),
    ("production-ingress", change("Ingress", "onya", "spec", "rules", 0, "http", "paths", 1, "backend", "service", "port", to={"name": "web"}), "leads to onya:web"),
    ("production-ingress", change("Ingress", "onya", "spec", "rules", 0, "host", to="www.onya.com"), "no certificate for a name of the Ingress"),
    ("production", change("Certificate", "onya", "spec", "dnsNames", to=["onya.com"]), "for onya.com and api.onya.com"),
    ("production", change("Certificate", "onya", "spec", "secretName", to="tls"), "a certificate that nobody makes"),
    ("production", change("ExternalSecret", "onya", "apiVersion", to="external-secrets.io/v1beta1"), "v1beta1 is not served"),
    ("production", drop("Job", "onya-migrate"), "nobody migrates"),
    ("production", drop("Job", "onya-migrate", *POD, "initContainers", 0), "before and after the schema moves"),
]


class Overlays(unittest.TestCase):
    def test_nothing_is_wrong_with_any_overlay(self):
        for overlay, manifests in RENDERED.items():
            with self.subTest(overlay):
                self.assertEqual(problems(manifests), [])

    def test_each_mistake_is_found(self):
        for overlay, mistake, sentence in MISTAKES:
            with self.subTest(sentence, overlay=overlay):
                manifests = copy.deepcopy(RENDERED[overlay])
                before = problems(manifests)
                mistake(manifests)
                found = set(problems(manifests)) - set(before)
                self.assertTrue(any(sentence in each for each in found), sorted(found))


if __name__ == "__main__":
    unittest.main()
