"""The compose file as Compose would read it with the variables of a filled-in .env.example."""

import re

import yaml

from manifests import ROOT

FOLDER = ROOT / "deploy/compose"
NODES = ["onya-1", "onya-2", "onya-3"]
# What .env.example leaves for people to fill in.
FILLED_IN = {"POSTGRES_PASSWORD": "secret", "ONYA_AUTH__SIGNING_KEYS": "a:" + "0f" * 32}


def variables():
    """The variables of .env.example, in its order."""
    lines = (FOLDER / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def interpolate(node, given):
    """`${NAME:-default}` and `${NAME:?message}` in every text: an empty variable is none."""
    if isinstance(node, dict):
        return {key: interpolate(value, given) for key, value in node.items()}
    if isinstance(node, list):
        return [interpolate(each, given) for each in node]
    if not isinstance(node, str):
        return node

    def value(match):
        name, kind, rest = match.groups()
        if given.get(name):
            return given[name]
        if kind == ":?":
            raise KeyError(f"{name}: {rest}")
        return rest or ""

    return re.sub(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}", value, node)


def document(given=None):
    """The whole file; `given` in place of the variables of a filled-in .env."""
    parsed = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return interpolate(parsed, {**variables(), **FILLED_IN} if given is None else given)


def services():
    return document()["services"]
