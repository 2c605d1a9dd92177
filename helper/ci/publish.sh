#!/bin/sh
# Brings an exported folder of one repository up to date and publishes it: what every CI system runs, and a cron job as well.
# Everything that a later run builds on is in STATE_DIR (the repository with its segments, the exported folder): keep it
# between runs, and a run costs what is new. Lose it, and the next run builds everything again; the bytes are the same.
#
#   ORIGIN_URL       the repository, any URL that git takes                          (required)
#   BASE_URL         where the folder will be found, http(s)                         (required)
#   STATE_DIR        what is kept between runs                                       (.gittorrent-ci)
#   UPLOAD           shell command that copies the folder "$FOLDER" to BASE_URL      (none: it is left in STATE_DIR/public)
#   PUBLISH_MIRRORS  1: name the folder under refs/mirrors/ of the origin, which needs the right to push
#   SEED_FOR         how long to seed afterwards, such as 90s, 10m or 1h; for runners of your own only       (not at all)
#   SIGNING_KEY      key that signs the manifest, as `gittorrent keys` lists it; its passphrase is in GITTORRENT_PASSPHRASE (none)
#   GITTORRENT_*     settings of gittorrent, such as GITTORRENT_TRACKER
set -eu

: "${ORIGIN_URL:?set ORIGIN_URL to the URL of the repository}"
: "${BASE_URL:?set BASE_URL to where the folder will be found}"
STATE_DIR=${STATE_DIR:-.gittorrent-ci}
repository=$STATE_DIR/repository.git
FOLDER=$STATE_DIR/public
export FOLDER GIT_TERMINAL_PROMPT=0

if [ ! -d "$repository" ]; then
  # A repository that is whole or not there: an interrupted run leaves nothing that the next one would trust.
  rm -rf "$repository.new"
  git init --quiet --bare "$repository.new"
  mv "$repository.new" "$repository"
fi
# Through the swarm, an earlier folder, or the origin alone: whatever is there. The URL, in which a CI system may have put a
# password, is written down nowhere.
git -C "$repository" fetch --quiet --prune --tags --no-write-fetch-head "gittorrent::$ORIGIN_URL" '+refs/heads/*:refs/heads/*'
head=$(git ls-remote --symref "$ORIGIN_URL" HEAD | sed -n 's/^ref: \(.*\)[[:space:]]HEAD$/\1/p')
if [ -n "$head" ]; then git -C "$repository" symbolic-ref HEAD "$head"; fi

gittorrent export "$repository" --out "$FOLDER" --origin "$ORIGIN_URL" --base-url "$BASE_URL" ${SIGNING_KEY:+--key "$SIGNING_KEY"}
if [ -n "${UPLOAD:-}" ]; then sh -euc "$UPLOAD"; fi
if [ "${PUBLISH_MIRRORS:-}" = 1 ]; then gittorrent mirrors publish "$repository" --folder "$FOLDER" --remote "$ORIGIN_URL"; fi
if [ -n "${SEED_FOR:-}" ]; then gittorrent seed "$repository" --origin "$ORIGIN_URL" --snapshot --once --linger "$SEED_FOR"; fi
