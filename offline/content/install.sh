#!/bin/sh
# Installs vid2kp from the folder that this file lies in. Needs no network.
#
#   sh install.sh            into the folder vid2kp of your own folder
#   sh install.sh FOLDER     into another one, which is made if need be
#
# Running it again, or that of a newer copy, brings the installation up to date.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
wanted='{{python}}'

fits() {
    "$1" -I -c "
import sys, venv
sys.exit('%d.%d' % sys.version_info[:2] != '$wanted')" >/dev/null 2>&1
}

for python in ${PYTHON:+"$PYTHON"} "python$wanted" python3 python \
    "/usr/local/bin/python$wanted" "/opt/python$wanted/bin/python$wanted"; do
    if fits "$python"; then
        exec "$python" -I -X utf8 -B "$here/setup/install.py" "$@"
    fi
done

cat >&2 <<END
vid2kp was NOT installed: this computer has no Python $wanted, or it lacks the part 'venv'.
Ask your IT department to install Python $wanted, then start this again. Where Python lies in an
unusual place, name it:  PYTHON=/path/to/python$wanted sh install.sh
END
exit 1
