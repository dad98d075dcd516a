#!/usr/bin/env bash
# renovate 40.60.1, its versioning `docker`, by which it orders tags of images: of two tags of which one is the other's beginning
# the shorter is newer, so 1 than 1.9.9; 1.2.3-alpine3.19 is newer than 1.2.3-alpine3.20, and 1.2.3-rc.1 is stable, since
# what follows a dash is a suffix; 1.2.3rc1 is not. Dates of 17 digits that differ in the last one are equal. `loose` has the first two the
# other way round, and the rest as it.
# Guess: as semver, but that a suffix has to be equal; rc.1 is not stable; long numbers are compared as they are.
# Seen: sorted by it, the newest of 1, 1.2, 1.2.9 and 1.3.0 is 1; its `isStable`, used alone, lets candidates in.
source "$(dirname "$0")/lib/setup.sh"
# Its own files, and the three packages that these need, of two hundred and more.
node_with tslib@2.8.1 @sindresorhus/is@7.0.2 semver@7.7.2
(cd "$folder" && npm pack --silent renovate@40.60.1 >/dev/null 2>&1 && mkdir node_modules/renovate && tar xzf renovate-40.60.1.tgz -C node_modules/renovate --strip-components 1)
cat >"$folder/compare.js" <<'JS'
const [name, call, ...tags] = process.argv.slice(2);
const versioning = require(`renovate/dist/modules/versioning/${name}`).default;
console.log(call === "sort" ? tags.sort((a, b) => versioning.sortVersions(a, b)).join(" ") : versioning[call](...tags));
JS
says() { (cd "$folder" && RENOVATE_X_IGNORE_RE2=1 node compare.js "$@"); }
same "docker, sorted" "$(says docker sort 1.3.0 1 1.2.9 1.2 1.10)" "1.2.9 1.2 1.3.0 1.10 1"
same "loose, sorted" "$(says loose sort 1.3.0 1 1.2.9 1.2 1.10)" "1 1.2 1.2.9 1.3.0 1.10"
same "docker, alpine3.19 newer than alpine3.20" "$(says docker isGreaterThan 1.2.3-alpine3.19 1.2.3-alpine3.20)" true
same "loose, the same" "$(says loose isGreaterThan 1.2.3-alpine3.19 1.2.3-alpine3.20)" false
for name in docker loose; do
  same "$name, 1.2.3-rc.1 is stable" "$(says $name isStable 1.2.3-rc.1)" true
  same "$name, 1.2.3 newer than 1.2.3-rc.1" "$(says $name isGreaterThan 1.2.3 1.2.3-rc.1)" true
  same "$name, 17 digits, another last one" "$(says $name equals 20240102030405123 20240102030405124)" true
done
same "docker, 1.2.3rc1 is stable" "$(says docker isStable 1.2.3rc1)" false
same "docker, a commit of digits is a version" "$(says docker isVersion 1234567)" true
