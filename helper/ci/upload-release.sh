#!/bin/sh
# Makes the assets of a GitHub release equal to an exported folder; an UPLOAD command for publish.sh. What has not changed is not
# uploaded: SHA256SUMS of the last upload says what is there. Bundles first, then the rest, the manifest last, then removals.
#
#   FOLDER  the exported folder       RELEASE  tag of the release, made if it is not there
#   GH_TOKEN, GH_REPO as gh(1) takes them
set -eu
: "${FOLDER:?}" "${RELEASE:?}"

old=$(mktemp)
new=$(mktemp)
trap 'rm -f "$old" "$new"' EXIT
gh release view "$RELEASE" >/dev/null 2>&1 ||
  gh release create "$RELEASE" --prerelease --title "Bundles" --notes "Parts of the history, for git and GitTorrent."
gh release download "$RELEASE" --pattern SHA256SUMS --output "$old" --clobber 2>/dev/null || : >"$old"
sort "$FOLDER/SHA256SUMS" >"$new"
sort -o "$old" "$old"

changed=$(comm -13 "$old" "$new" | sed 's/^[0-9a-f]*  //')
for pattern in '\.bundle$\|\.pack$' '\.torrent$' '^bundle-list$\|^index\.html$' '^manifest\.json$'; do
  for name in $(printf '%s\n' "$changed" | grep "$pattern" || :); do gh release upload "$RELEASE" "$FOLDER/$name" --clobber; done
done
if [ -n "$changed" ]; then gh release upload "$RELEASE" "$FOLDER/SHA256SUMS" --clobber; fi
sed 's/^[0-9a-f]*  //' "$old" | while read -r name; do
  if [ ! -e "$FOLDER/$name" ]; then gh release delete-asset "$RELEASE" "$name" --yes; fi
done
