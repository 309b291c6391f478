#!/bin/sh
# Started by nginx's image before nginx: the configuration of deploy/nginx with the servers of ONYA_SERVERS (host:port …), at
# the port of an nginx that is not root, logging where containers do.
set -eu

site=${1:-/etc/onya/onya.conf}
result=${2:-/etc/nginx/conf.d/onya.conf}
servers=
for server in $ONYA_SERVERS; do
  servers="$servers    server $server max_fails=3 fail_timeout=5s;\\n"
done

sed -e "s|^    server 127\.0\.0\.1:3000 max_fails=3 fail_timeout=5s;\$|$servers|" \
  -e 's|^    listen 80;$|    listen 8080;|' \
  -e 's|^    server_name chat\.example\.com;$|    server_name _;|' \
  -e 's|^    access_log /var/log/nginx/onya\.log onya;$|    access_log /dev/stdout onya;|' "$site" >"$result"
