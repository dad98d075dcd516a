#!/usr/bin/env bash
# fflate 0.8.3 (npm): `gunzipSync` takes the size of a gzip file from its last four bytes. An eStargz layer, a gzip file of
# many members, ends in "offset is out of bounds"; of two members it gives the first one,
# cut to the size of the second. Its streaming `Gunzip`, pako 3.0.3 and Node.js read all members.
# Guess: the first member alone.
# Seen: an error, or less than that.
source "$(dirname "$0")/lib/setup.sh"
node_with fflate@0.8.3 pako@3.0.3
go_program estargz github.com/containerd/stargz-snapshotter/estargz v0.16.3 <<'GO'
package main

import (
	"io"
	"os"

	"github.com/containerd/stargz-snapshotter/estargz"
)

func main() {
	layer, _ := os.Open(os.Args[1])
	about, _ := layer.Stat()
	blob, err := estargz.Build(io.NewSectionReader(layer, 0, about.Size()))
	if err != nil {
		panic(err)
	}
	io.Copy(os.Stdout, blob)
}
GO
cd "$folder"
mkdir files
seq 30000 >files/one
seq 50000 >files/two
tar --sort=name -cf layer.tar files
bin/estargz layer.tar >layer.gz
{ printf abcdef | gzip; printf ghi | gzip; } >two.gz
cat >by.js <<'JS'
const fflate = require("fflate");
const [, , name, file] = process.argv;
const packed = require("fs").readFileSync(file);
const by = {
  gunzipSync: () => fflate.gunzipSync(packed),
  Gunzip: () => {
    const parts = [];
    new fflate.Gunzip((part) => parts.push(Buffer.from(part))).push(packed, true);
    return Buffer.concat(parts);
  },
  pako: () => require("pako").ungzip(packed),
  node: () => require("zlib").gunzipSync(packed),
};
try {
  const found = Buffer.from(by[name]());
  console.log(found.length < 100 ? JSON.stringify(found.toString()) : found.length);
} catch (error) {
  console.log(error.message);
}
JS
whole=$(gunzip -c layer.gz | wc -c)
same "gunzipSync, eStargz" "$(node by.js gunzipSync layer.gz)" "offset is out of bounds"
for name in Gunzip pako node; do same "$name, eStargz" "$(node by.js $name layer.gz)" "$whole"; done
same "gunzipSync, two members" "$(node by.js gunzipSync two.gz)" '"abc"'
for name in Gunzip pako node; do same "$name, two members" "$(node by.js $name two.gz)" '"abcdefghi"'; done
