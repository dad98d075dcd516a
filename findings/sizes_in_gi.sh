#!/usr/bin/env bash
# `10Gi`, as Kubernetes writes sizes, by libraries of sizes: to humanfriendly 10.0 it is 10 GB, though `10GiB` is 10 GiB; to
# bytes 3.1.2 (npm) both are 10 bytes; Docker's go-units 0.5.0 and pydantic 2.14.4 refuse it, and `10GiB` is 10 GB to
# go-units' FromHumanSize. To xbytes 1.9.1 (npm) `10 gb` is gigabits.
# Guess: 10 GiB or an error, but for bytes; `10GiB` is 10 GiB to all that read it.
# Seen: 10, 10^10 and 10 * 2^30 bytes of `10Gi`; the first two of `10GiB` as well. Nothing is rounded or warned of.
source "$(dirname "$0")/lib/setup.sh"
python_with pydantic==2.14.4 humanfriendly==10.0
node_with bytes@3.1.2 filesize-parser@1.5.2 xbytes@1.9.1
go_program size github.com/dustin/go-humanize v1.1.0 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/dustin/go-humanize"
)

func main() { fmt.Println(humanize.ParseBytes(os.Args[1])) }
GO
go_program units github.com/docker/go-units v0.5.0 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/docker/go-units"
)

func main() {
	binary, refused := units.RAMInBytes(os.Args[1])
	decimal, too := units.FromHumanSize(os.Args[1])
	fmt.Println(binary, refused == nil, decimal, too == nil)
}
GO
by_node() { (cd "$folder" && node -e 'const found = require(process.argv[1]); console.log((found.parseSize ?? found)(process.argv[2]))' "$1" "$2"); }
by_python() {
  python -c '
import sys
from humanfriendly import parse_size
from pydantic import ByteSize, TypeAdapter, ValidationError
name, text = sys.argv[1:]
try:
    print(parse_size(text) if name == "humanfriendly" else int(TypeAdapter(ByteSize).validate_python(text)))
except ValidationError:
    print("error")' "$1" "$2"
}
gib=10737418240
same "humanfriendly, 10Gi" "$(by_python humanfriendly 10Gi)" 10000000000
same "humanfriendly, 10GiB" "$(by_python humanfriendly 10GiB)" $gib
same "pydantic, 10Gi" "$(by_python pydantic 10Gi)" error
same "pydantic, 10GiB" "$(by_python pydantic 10GiB)" $gib
for text in 10G 10Gi 10GiB; do same "bytes, $text" "$(by_node bytes $text)" 10; done
for text in 10G 10Gi 10GiB; do same "filesize-parser, $text" "$(by_node filesize-parser $text)" $gib; done
for text in 10Gi 10GiB; do same "go-humanize, $text" "$("$folder/bin/size" $text)" "$gib <nil>"; done
same "go-units, binary and decimal, 10Gi" "$("$folder/bin/units" 10Gi)" "-1 false -1 false"
same "go-units, binary and decimal, 10GiB" "$("$folder/bin/units" 10GiB)" "$gib true 10000000000 true"
same "xbytes, 10 gb" "$(by_node xbytes '10 gb')" 1250000000
same "xbytes, 10 GB" "$(by_node xbytes '10 GB')" 10000000000
