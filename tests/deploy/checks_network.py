"""What must be so of every overlay's network: who finds whom, by which port, and who may not."""

from facts import default, instruction
from manifests import environment_of, selects


def selectors(manifests):
    pods = [(name, labels) for name, labels, _ in manifests.templates()]
    for each, selector in wanted(manifests):
        covered = [name for name, labels in pods if selects(selector, labels)]
        who = f"{each['kind']} {each['metadata']['name']}"
        if not covered:
            yield f"{who} selects no pod"
        if each["kind"] in ("Service", "PodDisruptionBudget") and len(covered) > 1:
            yield f"{who} selects pods of {' and '.join(covered)}"
        if each["kind"] in ("StatefulSet", "Deployment") and covered != [each["metadata"]["name"]]:
            yield f"{who} does not select its own pods alone"


def wanted(manifests):
    """(who, labels) of everything that selects pods."""
    for each in manifests.of("StatefulSet", "Deployment", "PodDisruptionBudget"):
        yield each, each["spec"]["selector"]["matchLabels"]
    for service in manifests.of("Service"):
        yield service, service["spec"]["selector"]
    for policy in manifests.of("NetworkPolicy"):
        yield policy, covered_by(policy)
    for spread in manifests.pod["topologySpreadConstraints"]:
        yield manifests.server, spread["labelSelector"]["matchLabels"]


def covered_by(policy):
    """The labels that a policy selects; none are all pods."""
    return policy["spec"]["podSelector"].get("matchLabels", {})


def names_of_pods(manifests):
    service = manifests.named("Service", manifests.server["spec"]["serviceName"])
    if service is None or service["spec"].get("clusterIP") != "None":
        yield "the statefulset has no headless Service"
        return
    if not service["spec"].get("publishNotReadyAddresses"):
        yield "pods cannot find each other while they start and drain"
    if set(service["spec"]["selector"]) != {"app.kubernetes.io/name", "app.kubernetes.io/component"}:
        yield "the headless Service is of one colour or version"
    link = default("cluster.port")
    expected = f"$(POD_NAME).{service['metadata']['name']}.$(POD_NAMESPACE).svc:{link}"
    if manifests.config().get("ONYA_CLUSTER__ADVERTISE") != expected:
        yield f"a pod is to be reached by the others as {expected}"


def ports(manifests):
    """Names lead to a port of the pods, and the numbers are those of the program and of the image."""
    declared = {port["name"]: port["containerPort"] for port in manifests.container["ports"]}
    defaults = {"http": default("server.port"), "link": default("cluster.port"), "metrics": default("metrics.port")}
    for name, number in declared.items():
        if number != defaults.get(name):
            yield f"port {name} is {number}, and {defaults.get(name)} in the code"
    if sorted(instruction("EXPOSE").split()) != sorted(str(number) for number in declared.values()):
        yield "the image exposes other ports"
    if manifests.server["spec"]["template"]["metadata"]["annotations"].get("prometheus.io/port") != str(declared.get("metrics")):
        yield "metrics are scraped at another port"
    for who, port in named_ports(manifests):
        if port not in declared.values() and port not in declared:
            yield f"{who} names the port {port}, which the pods do not have"


def named_ports(manifests):
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        yield probe, manifests.container[probe]["httpGet"]["port"]
    labels = manifests.server["spec"]["template"]["metadata"]["labels"]
    for service in manifests.of("Service"):
        if selects(service["spec"]["selector"], labels):
            for port in service["spec"]["ports"]:
                yield f"Service {service['metadata']['name']}", port["targetPort"]
    for policy in manifests.of("NetworkPolicy"):
        selector = covered_by(policy)
        if selector and selects(selector, labels):
            for rule in policy["spec"].get("ingress", []):
                for port in rule["ports"]:
                    yield f"NetworkPolicy {policy['metadata']['name']}", port["port"]


def network(manifests):
    policies = manifests.of("NetworkPolicy")
    denies = [p for p in policies if p["spec"]["podSelector"] == {} and "ingress" not in p["spec"] and "egress" not in p["spec"]]
    if not any(set(p["spec"]["policyTypes"]) == {"Ingress", "Egress"} for p in denies):
        yield "what no policy allows is not denied"
    for owner, labels, _ in manifests.templates():
        covering = [p for p in policies if selects(covered_by(p), labels)]
        outward = [port["port"] for p in covering for rule in p["spec"].get("egress", []) for port in rule["ports"]]
        if 53 not in outward:
            yield f"{owner} cannot look up names"
        if labels.get("app.kubernetes.io/name") == "onya" and 5432 not in outward:
            yield f"{owner} cannot reach PostgreSQL"
    labels = manifests.server["spec"]["template"]["metadata"]["labels"]
    rules = [rule for p in policies if selects(covered_by(p), labels) for rule in p["spec"].get("ingress", [])]
    for rule in rules:
        names = {port["port"] for port in rule["ports"]}
        if "link" in names and (names != {"link"} or rule["from"] != [{"podSelector": {"matchLabels": own(labels)}}]):
            yield "somebody else than the pods may reach their link"
    if not any("link" in {port["port"] for port in rule["ports"]} for rule in rules):
        yield "the pods cannot reach each other"
    if environment_of(manifests.overlay) != "development" and not any("http" in {port["port"] for port in rule["ports"]} for rule in rules):
        yield "customers cannot come in"


def own(labels):
    return {key: labels[key] for key in ("app.kubernetes.io/name", "app.kubernetes.io/component")}


def routes(manifests):
    """Whoever routes from outside leads to a port that a Service has, and never to /health."""
    services = {s["metadata"]["name"]: {v for p in s["spec"]["ports"] for v in (p["name"], p["port"])} for s in manifests.of("Service")}
    rules = [rule for route in manifests.of("HTTPRoute") for rule in route["spec"]["rules"]]
    for rule in rules:
        for backend in rule.get("backendRefs", []):
            if backend["port"] not in services.get(backend["name"], set()):
                yield f"a route leads to {backend['name']}:{backend['port']}, which is not there"
    hidden = [rule for rule in rules if "/health" in {match["path"]["value"] for match in rule.get("matches", [])}]
    if rules and (not hidden or any("backendRefs" in rule for rule in hidden)):
        yield "strangers can ask for /health"
    for path in (p for i in manifests.of("Ingress") for rule in i["spec"]["rules"] for p in rule["http"]["paths"]):
        service = path["backend"]["service"]
        if service["port"]["name"] not in services.get(service["name"], set()):
            yield f"a route leads to {service['name']}:{service['port']['name']}, which is not there"
        if path["pathType"] != "Exact" and "/health".startswith(path["path"]):
            yield "strangers can ask for /health"


def certificates(manifests):
    """Each name that customers come in by has a certificate, and it is where TLS looks for it."""
    names = {name for each in manifests.of("Certificate") for name in each["spec"]["dnsNames"]}
    made = {each["spec"]["secretName"] for each in manifests.of("Certificate")}
    used = {ref["name"] for g in manifests.of("Gateway") for l in g["spec"]["listeners"] for ref in l.get("tls", {}).get("certificateRefs", [])}
    used |= {tls["secretName"] for i in manifests.of("Ingress") for tls in i["spec"]["tls"]}
    if used != made:
        yield "TLS with a certificate that nobody makes, or none"
    if environment_of(manifests.overlay) == "production" and names != {"onya.com", "api.onya.com"}:
        yield "the certificate is to be for onya.com and api.onya.com"
    if {rule["host"] for i in manifests.of("Ingress") for rule in i["spec"]["rules"]} - names:
        yield "there is no certificate for a name of the Ingress"


CHECKS = [selectors, names_of_pods, ports, network, routes, certificates]
