#!/bin/sh
# Draws every secret of the set-up once, into docker/secrets/; what is there already stays.
# The files can be read by the containers' users, the folder by its owner only.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets certificates
chmod 0755 certificates
draw() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [ -s "secrets/$1" ] || { printf '%s\n' "$2" >"secrets/$1"; echo "secrets/$1"; }; chmod 0444 "secrets/$1"; }

keep secret_key "$(draw)$(draw)"
keep metrics_token "$(draw)"
keep database_password "$(draw)"
keep database_url "postgresql://readerstudy:$(cat secrets/database_password)@db:5432/readerstudy"
keep redis_auth "requirepass $(draw)"
keep broker_url "redis://:$(cut -d' ' -f2 secrets/redis_auth)@redis:6379/0"
