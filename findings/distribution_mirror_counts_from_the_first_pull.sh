#!/usr/bin/env bash
# distribution 3.1.2 as a pull-through mirror with `ttl`: it drops a manifest and a layer when that time has passed since their
# first pull, however often they are pulled meanwhile. The tag stays: `tags/list` has it, to pull it is a 500 while the
# upstream is away. The manifest's own blob is never freed.
# Guess: each pull begins the time anew, as a cache's does, and the tag goes with its manifest.
# Seen: dropped after 8 seconds, 5 after a pull; the layer's file is gone, the manifest's is there.
source "$(dirname "$0")/lib/setup.sh"
source "$here/mirror.sh"
mirrored_by 3 "ttl: 8s"
read -r digest _ <<<"$(push web v1 one)"
layer=sha256:$(printf 'layer of one' | sha256sum | cut -d ' ' -f 1)
pull() { echo "$(pulled "$mirror" v1) $(status "http://$mirror/v2/web/blobs/$layer")"; }
file() { [[ -e $folder/mirror-${mirror#*:}/docker/registry/v2/blobs/sha256/${1:7:2}/${1#*:}/data ]] && echo there || echo gone; }
same "pulled first" "$(pull)" "200 200"
for _ in 1 2 3 4 5; do
  sleep 1
  same "pulled again" "$(pull)" "200 200"
done
pulled_last=$SECONDS
stop_upstream
same "without the upstream" "$(pull)" "200 200"
sleep 5
same "five seconds later" "$(pull)" "500 500"
same "in less than its time from the last pull" "$((SECONDS - pulled_last < 8))" 1
same "its list" "$(status "http://$mirror/v2/web/tags/list") $(tags "$mirror" web)" "200 v1"
same "file of the layer" "$(file "$layer")" gone
same "file of the manifest" "$(file "$digest")" there
