# Sourced by scripts first of all: where their arguments ask for help, their first comment is printed and they end.
# shellcheck shell=bash
case " $* " in *" --help "* | *" -h "*)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
