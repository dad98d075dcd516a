#!/usr/bin/env bash
# `1,5GB` and `1,000MB`, by libraries of sizes: pydantic 2.14.4's ByteSize and bytes 3.1.2 (npm) read 1 byte, without an
# error; go-humanize 1.1.0 leaves out the comma: 15 GB; filesize-parser 1.5.2 (npm) takes it for a point: 1,000 MB is 1 MiB.
# Guess: an error by all but bytes and go-humanize.
# Seen: four answers to `1,5GB`. A limit of "1,5GB" is one byte to two of them.
source "$(dirname "$0")/lib/setup.sh"
python_with pydantic==2.14.4 humanfriendly==10.0 bitmath==2.1.1
node_with bytes@3.1.2 filesize-parser@1.5.2
go_program size github.com/dustin/go-humanize v1.1.0 <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/dustin/go-humanize"
)

func main() {
	found, err := humanize.ParseBytes(os.Args[1])
	if err != nil {
		fmt.Println("error")
		return
	}
	fmt.Println(found)
}
GO
# size NAME TEXT: bytes.
size() {
  case $1 in
    go-humanize) "$folder/bin/size" "$2" ;;
    bytes | filesize-parser) (cd "$folder" && node -e 'console.log(require(process.argv[1])(process.argv[2]))' "$1" "$2") ;;
    *)
      python -W ignore -c '
import sys
name, text = sys.argv[1:]
try:
    if name == "pydantic":
        from pydantic import ByteSize, TypeAdapter
        found = TypeAdapter(ByteSize).validate_python(text)
    elif name == "humanfriendly":
        from humanfriendly import parse_size
        found = parse_size(text)
    else:
        from bitmath import parse_string
        found = parse_string(text).bytes
    print(int(found))
except ValueError:
    print("error")' "$1" "$2" 2>/dev/null || echo error
      ;;
  esac
}
for name in pydantic bytes; do
  same "$name, 1.5GB" "$(size $name 1.5GB)" "$([[ $name == bytes ]] && echo 1610612736 || echo 1500000000)"
  for text in 1,5GB 1,000MB; do same "$name, $text" "$(size $name $text)" 1; done
done
same "go-humanize, 1,5GB" "$(size go-humanize 1,5GB)" 15000000000
same "go-humanize, 1,000MB" "$(size go-humanize 1,000MB)" 1000000000
same "filesize-parser, 1,5GB" "$(size filesize-parser 1,5GB)" 1610612736
same "filesize-parser, 1,000MB" "$(size filesize-parser 1,000MB)" 1048576
for name in humanfriendly bitmath; do same "$name, 1,5GB" "$(size $name 1,5GB)" error; done
