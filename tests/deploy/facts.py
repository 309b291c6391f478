"""What the code and the image say of themselves, for checks to compare with."""

import re
import tomllib

from manifests import ROOT

DEFAULTS = tomllib.loads((ROOT / "config/onya.default.toml").read_text())
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text()
HEALTH = (ROOT / "src/edge/http/health.rs").read_text()
METRICS = (ROOT / "docs/OPERATIONS.md").read_text()


def default(key):
    """A default of the code; None if there is no such setting."""
    section, name = key.split(".")
    return DEFAULTS.get(section, {}).get(name)


def instruction(name):
    """What the last instruction of this name in the Dockerfile says."""
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)[-1]


def image_environment():
    """The variables that the image sets."""
    [block] = re.findall(r"^ENV ((?:.+\\\n)*.+)$", DOCKERFILE.rpartition("\nFROM ")[2], re.MULTILINE)
    return dict(each.split("=", 1) for each in block.replace("\\\n", " ").split())
