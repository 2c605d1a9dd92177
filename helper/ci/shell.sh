#!/bin/sh
# A cron job or a runner of your own: publishes to a web server by rsync and seeds for ten minutes, so that a farm's runners find
# the new links at once. Every runner has the same settings, and they find each other without any public service; the tracker is
# `gittorrent daemon --tracker 10.0.0.5:6969`, or `gittorrent.peer` names one machine that seeds; with a secret, nobody else gets anything:
#   git config --global gittorrent.tracker http://10.0.0.5:6969/announce
#   git config --global gittorrent.secretFile /etc/gittorrent/secret
#   git config --global url.gittorrent::https://git.example.org/.insteadOf https://git.example.org/
# Set the five values, and run it whenever branches move; two runs must not overlap (flock sees to that).
set -eu
: "${ORIGIN_URL:=https://git.example.org/project.git}"
: "${BASE_URL:=https://cdn.example.org/project}"
: "${STATE_DIR:=/var/lib/gittorrent-ci/project}"
: "${UPLOAD_TARGET:=cdn.example.org:/srv/project/}"
: "${SEED_FOR:=10m}"
export ORIGIN_URL BASE_URL STATE_DIR SEED_FOR UPLOAD_TARGET
# New files first, whole, then removals: nobody reads a list of things that are not there yet.
export UPLOAD='rsync --recursive --times --delay-updates --delete-after "$FOLDER/" "$UPLOAD_TARGET"'

mkdir -p "$STATE_DIR"
exec flock "$STATE_DIR/lock" sh "$(dirname "$0")/publish.sh"
