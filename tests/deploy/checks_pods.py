"""What must be so of the pods of every overlay: how many, how large, how they stop, what they may do and know."""

import json
import re

from facts import HEALTH, METRICS, default, instruction
from manifests import containers, environment_of

# Waits of the server that no setting names: sockets, then requests (src/app/goodbye.rs).
CLOSING_MS = 2 * 5_000

# What the environments are to have: replicas, memory, millicores, and settings.
FIGURES = {
    "development": (1, 256, 100, {"LOG_LEVEL": "debug", "LLM_PROVIDER": "mock", "TRACE_SAMPLING_RATE": "1.0"}),
    "staging": (2, 512, 250, {"LOG_LEVEL": "info", "LLM_PROVIDER": "openai", "TRACE_SAMPLING_RATE": "1.0"}),
    "production": (None, 1024, 500, {"LOG_LEVEL": "info", "LLM_PROVIDER": "openai", "TRACE_SAMPLING_RATE": "0.1"}),
}


def mebibytes(text):
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", text).groups()
    return int(number) * {"Mi": 1, "Gi": 1024}[unit]


def millicores(text):
    text = str(text)
    return int(text[:-1]) if text.endswith("m") else int(text) * 1000


def figures(manifests):
    environment = environment_of(manifests.overlay)
    replicas, memory, cpu, settings = FIGURES[environment]
    if manifests.server["spec"].get("replicas") != replicas:
        yield f"replicas are to be {replicas}"
    resources = manifests.container.get("resources", {})
    for kind, factor in [("requests", 1), ("limits", 2)]:
        found = resources.get(kind, {"memory": "0Mi", "cpu": "0m"})
        if (mebibytes(found["memory"]), millicores(found["cpu"])) != (factor * memory, factor * cpu):
            yield f"{kind} are to be {factor * memory}Mi and {factor * cpu}m"
    config = manifests.config()
    for name, value in {**settings, "ONYA_PROFILE": environment}.items():
        if config.get(name) != value:
            yield f"{name} is to be {value}"


def autoscaling(manifests):
    scalers = manifests.of("HorizontalPodAutoscaler")
    if (environment_of(manifests.overlay) == "production") != bool(scalers):
        yield "production has an autoscaler, and nothing else"
    for scaler in scalers:
        spec = scaler["spec"]
        target = manifests.named(spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"])
        if target is None:
            yield "the autoscaler scales what is not there"
        elif "replicas" in target["spec"]:
            yield "replicas beside an autoscaler: each apply would undo its work"
        if (spec["minReplicas"], spec["maxReplicas"]) != (3, 20):
            yield "the autoscaler is to go from 3 to 20"
        by_type = {metric["type"]: metric for metric in spec["metrics"]}
        if by_type["Resource"]["resource"]["target"].get("averageUtilization") != 70:
            yield "the autoscaler is to keep CPU at 70 %"
        sockets = by_type["Pods"]["pods"]
        if f"`{sockets['metric']['name']}`" not in METRICS:
            yield f"there is no metric {sockets['metric']['name']}"
        if int(sockets["target"]["averageValue"]) >= default("server.max_sockets"):
            yield "pods would be full of sockets before there are more of them"


def disruption(manifests):
    scalers = manifests.of("HorizontalPodAutoscaler")
    fewest = scalers[0]["spec"]["minReplicas"] if scalers else manifests.server["spec"].get("replicas", 1)
    for budget in manifests.of("PodDisruptionBudget"):
        if budget["spec"].get("minAvailable", 0) >= fewest:
            yield f"the disruption budget would block every drain at {fewest} replicas"
        if environment_of(manifests.overlay) == "production" and budget["spec"].get("minAvailable") != 2:
            yield "two pods of production stay up"


def stopping(manifests):
    """`onya drain` has time for a whole drain, and SIGTERM for another one of what came in between."""
    config = manifests.config()
    limits = ["drain.reply_limit_ms", "drain.sockets_window_ms"]
    drain = CLOSING_MS + sum(int(config.get("ONYA_" + key.upper().replace(".", "__"), default(key))) for key in limits)
    hook = manifests.container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
    [program] = json.loads(instruction("ENTRYPOINT"))
    if hook[:-1] != [program, "drain", "--timeout"]:
        yield f"before it is stopped, a pod is to run {program} drain --timeout"
        return
    limit, grace = int(hook[-1]) * 1000, manifests.pod["terminationGracePeriodSeconds"] * 1000
    if limit <= drain:
        yield f"{limit} ms are too short for a drain of {drain} ms"
    if grace <= limit + drain:
        yield f"a grace period of {grace} ms is too short for {limit} ms and a drain of {drain} ms"


def probes(manifests):
    for probe, path in [("startupProbe", "/health/live"), ("readinessProbe", "/health/ready"), ("livenessProbe", "/health/live")]:
        found = manifests.container[probe]["httpGet"]["path"]
        if found != path or f'path = "{found}"' not in HEALTH:
            yield f"{probe} is to ask {path}"


def secrets(manifests):
    """Each variable that names a file names one that a secret brings."""
    keys = manifests.secrets()
    for owner, _, spec in manifests.templates():
        brought = {volume["name"]: volume["secret"]["secretName"] for volume in spec.get("volumes", []) if "secret" in volume}
        for secret in brought.values():
            if secret not in keys:
                yield f"{owner} needs the secret {secret}, which is not there"
        for container in containers(spec):
            mounts = {m["mountPath"]: brought[m["name"]] for m in container.get("volumeMounts", []) if m["name"] in brought}
            named = [v["value"] for v in container.get("env", []) if v["name"].endswith("_FILE")]
            named += re.findall(r"/etc/onya/secrets/[a-z-]+", " ".join(container.get("command", [])))
            for path in named:
                folder, _, key = path.rpartition("/")
                if key not in keys.get(mounts.get(folder), set()):
                    yield f"{owner}: no secret brings {path}"
            for variable in container.get("env", []):
                reference = variable.get("valueFrom", {}).get("secretKeyRef")
                if reference and reference["key"] not in keys.get(reference["name"], set()):
                    yield f"{owner}: {reference['name']} has no key {reference['key']}"
                if "secretKeyRef" in variable.get("valueFrom", {}) or re.search(r"(URL|KEYS?)$", variable["name"]):
                    yield f"{owner}: {variable['name']} is a secret in the environment, not in a file"


def lockdown(manifests):
    """Nobody is root, and nothing is written but where a folder is given for it."""
    user, data = int(instruction("USER").split(":")[0]), instruction("VOLUME")
    if manifests.pod["securityContext"].get("runAsUser") != user:
        yield f"the image's user is {user}"
    writable = {m["mountPath"] for m in manifests.container["volumeMounts"] if not m.get("readOnly")}
    if writable != {data, "/tmp"}:
        yield f"only {data} and /tmp may be written to, not {sorted(writable)}"
    for owner, _, spec in manifests.templates():
        if not spec["securityContext"].get("runAsNonRoot") or "seccompProfile" not in spec["securityContext"]:
            yield f"{owner} may be root"
        if spec.get("enableServiceLinks") is not False:
            yield f"{owner} gets variables of Services, which Onya takes for settings"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{owner} gets a token for the API server"
        for container in containers(spec):
            context = container.get("securityContext", {})
            locked = context.get("readOnlyRootFilesystem"), context.get("allowPrivilegeEscalation"), context.get("capabilities", {}).get("drop")
            if locked != (True, False, ["ALL"]):
                yield f"{owner}/{container['name']} is not locked down"
            if not re.search(r":(?!latest$)[\w.-]+$", container["image"]):
                yield f"{owner}/{container['name']} runs whatever image is newest"


def versions(manifests):
    for each in manifests.of("ExternalSecret"):
        if each["apiVersion"] != "external-secrets.io/v1":
            yield f"{each['apiVersion']} is not served any more"


def migration(manifests):
    job = manifests.named("Job", "onya-migrate")
    if job is None:
        yield "nobody migrates"
        return
    steps = [container["name"] for container in containers(job["spec"]["template"]["spec"])]
    if steps != ["roles-before", "migrate", "roles-after"]:
        yield "rights are to be given before and after the schema moves"
    images = [c["image"] for c in containers(job["spec"]["template"]["spec"]) if c["name"] == "migrate"]
    if images != [manifests.container["image"]]:
        yield "the schema is moved by another version than the one that runs"


CHECKS = [figures, autoscaling, disruption, stopping, probes, secrets, lockdown, versions, migration]
