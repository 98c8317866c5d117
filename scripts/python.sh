# For scripts that need Python packages: sourced, in the folder of the project.

say() { echo "scripts/$(basename "$0"): $*" >&2; }

# Installs Debian packages, as root or through a sudo that asks no password; fails where neither may.
install_packages() {
    local root=()
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        root=(sudo -n)
    fi
    local install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install)
    "${install[@]}" "$@" >/dev/null 2>&1 || { "${root[@]}" apt-get -qq update && "${install[@]}" "$@" >/dev/null; }
}

# Makes a virtual environment with these packages in FOLDER/python, if it is not there yet.
#   prepare_python FOLDER PACKAGE...
prepare_python() {
    local home=$1
    shift
    if [ "$(cat "$home/installed" 2>/dev/null)" = "$*" ]; then return; fi
    rm -rf "$home"
    mkdir -p "$home"
    # Debian keeps what makes virtual environments in a package of its own.
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null && ! install_packages python3-venv; then
        say "python3 with venv is missing and may not be installed from here: install python3-venv, then try again"
        exit 1
    fi
    python3 -m venv "$home/python"
    "$home/python/bin/pip" install --quiet --disable-pip-version-check "$@"
    echo "$*" >"$home/installed"
}
