"""The steps of the Job that migrates, as they stand in the manifests, on a real PostgreSQL: by a role that owns the database
and is no superuser, on an empty database and once more as an update does."""

import os
import subprocess
import tempfile
import unittest
import uuid
from pathlib import Path
from urllib.parse import urlsplit

from facts import image_environment
from manifests import Manifests, containers, render

PRODUCTION = Manifests("production", render("production"))
ROLES = next(each for each in PRODUCTION.of("ConfigMap") if "roles.sql" in each["data"])
ADMIN = os.environ["TEST_DATABASE_URL"]
PROGRAMS = os.environ["TEST_PG_BIN"]


def psql(url, *statements):
    commands = [argument for each in statements for argument in ("--command", each)]
    done = subprocess.run([f"{PROGRAMS}/psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1", "--dbname", url, *commands], capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


class Migration(unittest.TestCase):
    def setUp(self):
        name = uuid.uuid4().hex
        self.database, self.owner, self.server = (f"deploy_{what}_{name}" for what in ("database", "owner", "server"))
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # Whoever administers the server does this once (docs/DEPLOYMENT.md#the-database).
        (self.folder / "roles.sql").write_text(ROLES["data"]["roles.sql"])
        self.addCleanup(self.clean)
        self.admin(f"CREATE DATABASE {self.database}")
        self.assertEqual(psql(self.url(urlsplit(ADMIN).username), f"\\i {self.folder}/roles.sql")[0], 0)
        self.admin(f"CREATE ROLE {self.owner} LOGIN IN ROLE onya_maintain")
        self.admin(f"ALTER DATABASE {self.database} OWNER TO {self.owner}")
        self.admin(f"CREATE ROLE {self.server} LOGIN IN ROLE onya_serve")
        (self.folder / "database-url").write_text(self.url(self.owner))

    def clean(self):
        psql(ADMIN, f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)", f"DROP ROLE IF EXISTS {self.owner}, {self.server}")

    def admin(self, statement):
        self.assertEqual(psql(ADMIN, statement), (0, ""), statement)

    def url(self, role):
        at = urlsplit(ADMIN)
        return f"postgres://{role}@{at.hostname}:{at.port}/{self.database}"

    def run_job(self):
        """Its containers, one after the other; the folders of a pod are ours."""
        job = PRODUCTION.named("Job", "onya-migrate")
        places = {"/etc/onya/secrets": str(self.folder), "/etc/onya/postgres": str(self.folder)}
        for container in containers(job["spec"]["template"]["spec"]):
            command = container.get("command") or [os.environ["ONYA_BIN"], *container["args"]]
            given = {each["name"]: each["value"] for each in container.get("env", [])}
            environment = {**image_environment(), "PATH": f"{PROGRAMS}:/usr/bin:/bin", **given}
            for place, folder in places.items():
                command = [word.replace(place, folder) for word in command]
                environment = {name: value.replace(place, folder) for name, value in environment.items()}
            done = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, f"{container['name']}: {done.stderr}")

    def test_the_schema_is_there_and_the_server_may_use_it_and_no_more(self):
        onya = [os.environ["ONYA_BIN"], "migrate", "status"]
        environment = {"DATABASE_URL": self.url(self.server)}
        before = subprocess.run(onya, env=environment, cwd=self.folder, capture_output=True, text=True, check=True)
        self.assertNotIn("applied", before.stdout)
        for _ in range(2):
            self.run_job()
            after = subprocess.run(onya, env=environment, cwd=self.folder, capture_output=True, text=True, check=True)
            self.assertNotIn("missing", after.stdout)
            self.assertEqual(psql(self.url(self.server), "SELECT count(*) FROM entries"), (0, "0"))
            self.assertIn("permission denied", psql(self.url(self.server), "DELETE FROM entries")[1])


if __name__ == "__main__":
    unittest.main()
