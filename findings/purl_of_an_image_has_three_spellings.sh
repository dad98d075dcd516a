#!/usr/bin/env bash
# packageurl-python 0.17.6, packageurl-js 2.0.1 and packageurl-go 0.1.3 write the package URL of one image in three ways:
# they disagree on which of `:`, `/` and `+` are percent-encoded, and Go leaves the name in capitals, which OCI has not.
# Guess: Python and Go alike, JavaScript with `%3A` in the digest; the capitals stay in all three.
# Seen: `%3A` in Go's digest, `%2F` in the address by Go and JavaScript. SBOMs joined by the text of purls miss each other.
source "$(dirname "$0")/lib/setup.sh"
python_with packageurl-python==0.17.6
node_with packageurl-js@2.0.1
go_program purl github.com/package-url/packageurl-go v0.1.3 <<'GO'
package main

import (
	"fmt"
	"os"

	packageurl "github.com/package-url/packageurl-go"
)

func main() {
	found, _ := packageurl.FromString(os.Args[1])
	fmt.Println(found.ToString())
}
GO
by() {
  case $1 in
    python) python -c 'import sys; from packageurl import PackageURL; print(PackageURL.from_string(sys.argv[1]).to_string())' "$2" ;;
    javascript) (cd "$folder" && node -p 'require("packageurl-js").PackageURL.fromString(process.argv[1]).toString()' "$2") ;;
    go) "$folder/bin/purl" "$2" ;;
  esac
}
image='pkg:oci/Web@sha256:0a1b?repository_url=example.com/web'
same python "$(by python "$image")" 'pkg:oci/web@sha256:0a1b?repository_url=example.com/web'
same javascript "$(by javascript "$image")" 'pkg:oci/web@sha256:0a1b?repository_url=example.com%2Fweb'
same go "$(by go "$image")" 'pkg:oci/Web@sha256%3A0a1b?repository_url=example.com%2Fweb'
same "python, a plus" "$(by python pkg:docker/web@1.0+b)" pkg:docker/web@1.0%2Bb
same "javascript, a plus" "$(by javascript pkg:docker/web@1.0+b)" pkg:docker/web@1.0+b
same "go, a plus" "$(by go pkg:docker/web@1.0+b)" pkg:docker/web@1.0%2Bb
