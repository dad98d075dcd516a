#!/usr/bin/env bash
# eraser 1.3.1, which removes images from the nodes of a cluster, and its list of what is excluded from that: `example.com/web:*`
# also excludes example.com/webshop, and `localhost:5000/web:*` each image of that host, at any port. `example.com/web`
# without a tag, `alpine` and a digest alone exclude nothing.
# Guess: `:*` all tags of this repository alone; a name without a tag the same, as its source says of "names without tag".
# Seen: each of the two ends at the first colon, and is a prefix; an image that is named plainly is removed.
source "$(dirname "$0")/lib/setup.sh"
go_program excluded github.com/eraser-dev/eraser v1.3.1 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/eraser-dev/eraser/api/unversioned"
	"github.com/eraser-dev/eraser/pkg/utils"
)

func main() {
	id := "sha256:00"
	image := unversioned.Image{ImageID: id, Names: os.Args[2:3], Digests: []string{"example.com/web@sha256:11"}}
	images := map[string]unversioned.Image{id: image}
	fmt.Println(utils.IsExcluded(map[string]struct{}{os.Args[1]: {}}, id, images))
}
GO
excludes() { same "$1, $2" "$("$folder/bin/excluded" "$1" "$2")" "$3"; }
excludes 'example.com/web:v1' example.com/web:v1 true
excludes 'example.com/web:*' example.com/web:v1 true
excludes 'example.com/web:*' example.com/webshop:v1 true
excludes 'localhost:5000/web:*' localhost:5000/api:v1 true
excludes 'localhost:5000/web:*' localhost:5001/api:v1 true
excludes 'example.com/web/*' example.com/web/api:v1 true
excludes 'example.com/web/*' example.com/webshop:v1 false
excludes 'example.com/web' example.com/web:v1 false
excludes 'example.com/*/web:v1' example.com/team/web:v1 false
excludes 'alpine' docker.io/library/alpine:3.20 false
excludes 'example.com/web@sha256:11' example.com/web:v1 true
excludes 'sha256:11' example.com/web:v1 false
