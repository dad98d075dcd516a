#!/usr/bin/env bash
# astronomer-registry-cleanup 0.1.3 (PyPI): `--drop-older-tags DATE` deletes every tag of the prefix but the one with the highest
# number, whatever the date: it is parsed, and compared with nothing.
# Guess: older by the image's time, or by a date in the tag.
# Seen: images of 2024 are dropped as older than 2020.
source "$(dirname "$0")/lib/setup.sh"
python_with astronomer-registry-cleanup==0.1.3
distribution_2
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$folder/key.pem" -out "$folder/certificate.pem" -days 2 -subj /CN=here -addext subjectAltName=IP:127.0.0.1 2>/dev/null
port=$(free_port)
sed "s|addr: $host|addr: 127.0.0.1:$port, tls: {certificate: $folder/certificate.pem, key: $folder/key.pem}|" "$folder/${host#*:}.yml" >"$folder/tls.yml"
"$folder/debian/usr/bin/docker-registry" serve "$folder/tls.yml" >"$folder/tls.log" 2>&1 &
servers+=($!)
wait_for "$port"
for number in 1 2 3 4 5; do python3 "$here/push_dated.py" "http://$host" site/airflow deploy-2024010$number "2024-01-0${number}T00:00:00Z" >/dev/null; done
dropped() { REQUESTS_CA_BUNDLE=$folder/certificate.pem "$folder/venv/bin/astronomer-registry-cleanup" -r "127.0.0.1:$port" -p none site -f deploy --dry-run "$@" | awk '{ print $1 }' | xargs; }
all=$(printf 'site:deploy-2024010%s ' 1 2 3 4 | xargs)
same "older than 2020" "$(dropped --drop-older-tags 2020-01-01)" "$all"
same "older than January 3rd, 2024" "$(dropped --drop-older-tags 2024-01-03)" "$all"
same "older than 2030" "$(dropped --drop-older-tags 2030-01-01)" "$all"
same "but two" "$(dropped --keep-n-tags 2)" "$(printf 'site:deploy-2024010%s ' 1 2 3 | xargs)"
