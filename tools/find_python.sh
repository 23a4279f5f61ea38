#!/bin/sh
# Prints a Python of the version $VERSION (as in 3.12) that starts and can make virtual environments:
# first from PATH, then from pyenv. Exits 1 when there is none.
set -u
: "${VERSION:?names the version that is looked for, as in 3.12}"

usable() {
    [ "$("$1" -c 'import ensurepip, sys, venv; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$VERSION" ]
}

# pyenv puts a shim in PATH for each version, and it refuses all but the chosen ones: hence the try.
for candidate in "python$VERSION" python3 "${PYENV_ROOT:-$HOME/.pyenv}/versions/$VERSION".*/bin/python3; do
    if command -v "$candidate" >/dev/null 2>&1 && usable "$candidate"; then
        command -v "$candidate"
        exit 0
    fi
done
exit 1
