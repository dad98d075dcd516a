#!/usr/bin/env bash
# regctl 0.11.7: `regctl image get-file IMAGE FILE` of a symbolic link, as /etc/os-release is in Debian, of a hard link
# or of a folder prints nothing and exits with 0, as of an empty file. Of what is not there, or deleted by a layer above, it
# exits with 1.
# Guess: it follows links, or fails.
# Seen: nothing tells it from an empty file; `crane export` and tar give the contents of the hard link.
source "$(dirname "$0")/lib/setup.sh"
go_tool github.com/google/go-containerregistry/cmd/crane@v0.22.1
go_tool github.com/regclient/regclient/cmd/regctl@v0.11.7
distribution_2
cd "$folder"
mkdir -p below/etc below/usr/lib above/etc
echo 'ID=here' >below/usr/lib/os-release
ln -s ../usr/lib/os-release below/etc/os-release
ln below/usr/lib/os-release below/etc/hard
echo old >below/etc/deleted
touch below/etc/empty above/etc/.wh.deleted
tar -cf below.tar -C below usr/lib/os-release etc
tar -cf above.tar -C above etc/.wh.deleted
bin/crane append --insecure --oci-empty-base -f below.tar -t "$host/web:below" 2>/dev/null >&2
bin/crane append --insecure -b "$host/web:below" -f above.tar -t "$host/web:v1" 2>/dev/null >&2
found() {
  local code=0
  bin/regctl --host "reg=$host,tls=disabled" image get-file "$host/web:v1" "$1" >file 2>/dev/null || code=$?
  echo "$(cat file), $code"
}
same "a file" "$(found usr/lib/os-release)" "ID=here, 0"
same "an empty file" "$(found etc/empty)" ", 0"
same "a symbolic link" "$(found etc/os-release)" ", 0"
same "a hard link" "$(found etc/hard)" ", 0"
same "a folder" "$(found etc)" ", 0"
same "what is not there" "$(found etc/nothing)" ", 1"
same "what is deleted" "$(found etc/deleted)" ", 1"
mkdir all
bin/crane export --insecure "$host/web:v1" - | tar -xf - -C all
same "the hard link by crane" "$(cat all/etc/hard)" "ID=here"
