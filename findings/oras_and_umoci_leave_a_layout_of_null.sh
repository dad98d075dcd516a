#!/usr/bin/env bash
# oras 1.3.6 (`manifest delete --oci-layout` of the last image) and umoci 0.4.7 (`init`, and `rm` of the last tag) leave an
# index.json with `"manifests": null`, which the schema of image-spec 1.1.1 refuses; regctl 0.11.7 writes `[]`.
# Guess: `[]` by all.
# Seen: who goes over `manifests` of such a layout in Python or JavaScript gets an error; the tools in Go read it. oras has
# also deleted the attachments of the image, which in a registry stay.
source "$(dirname "$0")/lib/setup.sh"
debian umoci '0.4.7\+ds-3\+b7'
go_tool oras.land/oras/cmd/oras@v1.3.6
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
go_program valid github.com/opencontainers/image-spec v1.1.1 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/opencontainers/image-spec/schema"
)

func main() {
	if schema.ValidatorMediaTypeImageIndex.Validate(os.Stdin) == nil {
		fmt.Println("valid")
	} else {
		fmt.Println("refused")
	}
}
GO
distribution_2
cd "$folder"
push web v1 >/dev/null
echo text >text.txt
manifests() { python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["manifests"]))' <"$1/index.json"; }
bin/oras cp --from-plain-http "$host/web:v1" --to-oci-layout oras:v1 >/dev/null
bin/oras tag --oci-layout oras:v1 v2 >/dev/null
bin/oras attach --oci-layout oras:v1 --artifact-type example/text text.txt:text/plain >/dev/null
bin/oras manifest delete --oci-layout oras:v1 --force >/dev/null
umoci init --layout umoci
umoci new --image umoci:v1
umoci rm --image umoci:v1
umoci init --layout new
bin/regctl --host "reg=$host,tls=disabled" image copy "$host/web:v1" ocidir://regctl:v1 >/dev/null
bin/regctl tag delete ocidir://regctl:v1
for name in oras umoci new; do same "$name" "$(manifests $name), $(bin/valid <$name/index.json)" "null, refused"; done
same "regctl" "$(manifests regctl), $(bin/valid <regctl/index.json)" "[], valid"
same "blobs that oras has left" "$(find oras/blobs -type f | wc -l)" 0
for name in oras umoci; do same "tags of $name by regctl" "$(bin/regctl tag ls ocidir://$name | wc -l)" 0; done
