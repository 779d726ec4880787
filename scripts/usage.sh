# --help of shell scripts, which source this: prints what the script says of itself, and ends it.
case ${1:-} in -h | --help) exec sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" ;; esac
