#!/usr/bin/env bash
# go-containerregistry 0.22.1: `crane mutate REPO:TAG` and `crane index filter REPO:TAG` without `-t` move TAG
# to the new manifest. The help of mutate says: without -t, "push by digest to the original image repository".
# Guess, from the help: the tag stays where it was, and the new manifest is untagged.
# Seen: TAG points to the new digest; the old manifest has no tag any more, and is what clean-ups look for.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
distribution_2
read -r before _ < <(push web v1)
"$folder/bin/crane" mutate --help | grep -q "push by digest to the original image repository"
"$folder/bin/crane" mutate --insecure --annotation a=b "$host/web:v1" >/dev/null 2>&1
after=$("$folder/bin/crane" digest --insecure "$host/web:v1")
same "moved by mutate" "$([[ $before == "$after" ]] && echo no || echo yes)" yes
"$folder/bin/crane" index append --insecure -m "$host/web@$before" -m "$host/web@$after" -t "$host/web:both" >/dev/null 2>&1
before=$("$folder/bin/crane" digest --insecure "$host/web:both")
"$folder/bin/crane" index filter --insecure "$host/web:both" --platform linux/arm64 >/dev/null 2>&1
after=$("$folder/bin/crane" digest --insecure "$host/web:both")
same "moved by index filter" "$([[ $before == "$after" ]] && echo no || echo yes)" yes
