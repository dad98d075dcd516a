#!/usr/bin/env bash
# A layer that has a file and the whiteout of its name: the specification keeps the file, since a whiteout hides only what
# is below. crane 0.22.1 exports it where the file comes first, buildah 1.28.2 and Debian's oci-image-tool 1.0.0-rc1 keep
# it where the whiteout does, umoci 0.4.7 always.
# Guess: crane goes by the order, the others keep the file.
# Seen: two orders, and each loses the file to somebody: what crane exports is not what buildah runs.
source "$(dirname "$0")/lib/setup.sh"
debian skopeo 1.9.3
debian buildah 1.28.2
debian umoci '0.4.7\+ds-3\+b7'
debian oci-image-tool 1.0.0-rc1
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
cd "$folder"
buildah() { command buildah --storage-driver vfs --root "$folder/root" --runroot "$folder/run" "$@" 2>/dev/null; }
echo below >a
tar cf below.tar a
echo above >a
: >.wh.a
# a_of PROGRAM IMAGE: what its file `a` is.
a_of() {
  case $1 in
    crane) bin/crane export - - <"$2.tar" 2>/dev/null | tar xO a 2>/dev/null || echo none ;;
    umoci) umoci raw unpack --rootless --image "$2:v1" "umoci-$2" >/dev/null 2>&1 && cat "umoci-$2/a" 2>/dev/null || echo none ;;
    oci-image-tool) oci-image-tool unpack --ref name=v1 "$2" "unpacked-$2" >/dev/null 2>&1 && cat "unpacked-$2/a" 2>/dev/null || echo none ;;
    buildah)
      buildah from --name "$2" "docker-archive:$2.tar" >/dev/null
      cat "$(buildah mount "$2")/a" 2>/dev/null || echo none
      buildah umount "$2" >/dev/null
      ;;
  esac
}
image() {
  tar cf above.tar "${@:2}"
  bin/crane append --oci-empty-base -f below.tar -f above.tar -t web:v1 -o "$1.tar" 2>/dev/null
  skopeo --insecure-policy copy -q "docker-archive:$1.tar" "oci:$1:v1"
}
image whiteout-first .wh.a a
image file-first a .wh.a
for name in umoci crane buildah oci-image-tool; do
  same "$name, the whiteout first" "$(a_of $name whiteout-first)" "$([[ $name == crane ]] && echo none || echo above)"
  same "$name, the file first" "$(a_of $name file-first)" "$([[ $name == crane || $name == umoci ]] && echo above || echo none)"
done
