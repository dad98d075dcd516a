# Sourced after setup.sh: a registry whose requests can be refused.

# refused STATUS PART: by the front, from now on, each request whose METHOD/path has that part; `none` refuses nothing.
refused() { echo "$@" >"$folder/refused"; }

# front HOST: in front of the registry at that address; its own is in $front.
front() {
  local port
  port=$(free_port)
  front=127.0.0.1:$port
  refused 500 none
  python3 "$here/front.py" "$port" "$1" "$folder/refused" 2>/dev/null &
  servers+=($!)
  wait_for "$port"
}
