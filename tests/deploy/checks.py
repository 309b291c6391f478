"""All that must be so in every overlay. Each check yields a sentence for each thing that is not; `test_checks.py` breaks an
overlay in each of these ways and expects the sentence."""

import checks_network
import checks_pods


def problems(manifests):
    """Every sentence of every check."""
    return [problem for check in checks_pods.CHECKS + checks_network.CHECKS for problem in check(manifests)]
