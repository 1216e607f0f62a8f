#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
    chown -R store:store /var/lib/store
    exec gosu store "$@"
fi
exec "$@"
