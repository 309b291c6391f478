"""What docs/DEPLOYMENT.md tells people to type exists: commands and flags of kubectl, files, links, names in the manifests."""

import re
import shlex
import subprocess
import unittest

from manifests import BIN, ROOT, Manifests, render

GUIDE = (ROOT / "docs/DEPLOYMENT.md").read_text()
PRODUCTION = Manifests("production", render("production"))


def kubectl_help(*words):
    done = subprocess.run([BIN / "kubectl", *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def kubectl_commands(text):
    """Each as the words that name it and its flags, what runs inside of a pod left out."""
    for line in re.findall(r"^kubectl .+$|(?<=`)kubectl [^`]+", text, re.MULTILINE):
        words = shlex.split(line.replace("$N", "N"), comments=True)
        words = words[1 : words.index("--") if "--" in words else None]
        flags = [word.split("=")[0] for word in words if word.startswith("-")]
        plain = [word for index, word in enumerate(words) if not word.startswith("-") and words[index - 1] not in ("-n", "-k", "-l")]
        yield plain, flags


def is_known(plain, flags, everywhere):
    command = plain[: 2 if plain[0] == "rollout" else 1]
    own = kubectl_help(*command, "--help")
    known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", own + everywhere))
    # Asked for a command that it does not have, it helps with the one above.
    return " ".join(["kubectl", *command]) in own and set(flags) <= known


class Guide(unittest.TestCase):
    def test_kubectl_knows_each_command_and_flag(self):
        everywhere = kubectl_help("options")
        commands = list(kubectl_commands(GUIDE))
        self.assertGreater(len(commands), 20)
        for plain, flags in commands:
            with self.subTest(" ".join(plain + flags)):
                self.assertTrue(is_known(plain, flags, everywhere))
        # As in older guides: there is no such flag, and no such command.
        self.assertFalse(is_known(["apply"], ["-f", "--suffix"], everywhere))
        self.assertFalse(is_known(["rollout", "back"], [], everywhere))

    def test_what_it_names_is_there(self):
        for target in re.findall(r"\]\((?!http|#)([^)#]+)", GUIDE):
            with self.subTest(target):
                self.assertTrue((ROOT / "docs" / target).resolve().exists())
        for script in set(re.findall(r"(?<![\w./])(?:deploy|k8s|tests)/[\w./-]+", GUIDE)):
            with self.subTest(script):
                self.assertTrue((ROOT / script.rstrip(".")).exists())
        for kind, name in set(re.findall(r"(statefulset|job|service)/([a-z-]+)", GUIDE)):
            with self.subTest(name):
                self.assertIsNotNone(PRODUCTION.named({"statefulset": "StatefulSet", "job": "Job", "service": "Service"}[kind], name))

    def test_it_has_the_keys_of_the_secrets(self):
        table = re.findall(r"^\| `([a-z-]+)` \| `(\w+_FILE)` \|", GUIDE, re.MULTILINE)
        self.assertEqual({key for key, _ in table}, PRODUCTION.secrets()["onya"])
        variables = {each["name"] for each in PRODUCTION.container["env"] if each["name"].endswith("_FILE")}
        self.assertEqual({variable for _, variable in table}, variables)

    def test_every_anchor_leads_to_a_heading(self):
        def anchors(text):
            return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}

        for target, anchor in re.findall(r"\]\(((?!http)[^)#]*)#([^)]+)\)", GUIDE):
            with self.subTest(anchor):
                text = (ROOT / "docs" / target).read_text() if target else GUIDE
                self.assertIn(anchor, anchors(text))
        for file in [*(ROOT / "k8s").rglob("*.yaml"), *(ROOT / "deploy").rglob("*"), *(ROOT / ".github").rglob("*.yml")]:
            for anchor in re.findall(r"DEPLOYMENT\.md#([\w-]+)", file.read_text()) if file.is_file() else []:
                with self.subTest(file.name, anchor=anchor):
                    self.assertIn(anchor, anchors(GUIDE))


if __name__ == "__main__":
    unittest.main()
