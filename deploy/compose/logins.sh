#!/bin/sh
# Started by PostgreSQL's image when it makes the database, after roles.sql: the login of the servers.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE onya_serve_1 LOGIN PASSWORD :'password' IN ROLE onya_serve;
SQL
