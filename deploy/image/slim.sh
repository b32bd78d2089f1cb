#!/bin/sh
# Removes what nothing imports from the environment of an image, and debugging symbols, which are a quarter of its size:
# `slim.sh /opt/ketline`. Needs binutils.
set -eu
cd "$1"/lib/python3.*/site-packages

# Tests of libraries. Nothing that is imported in a service imports them.
find . -depth -type d -name tests -exec rm -r {} +
# PennyLane's compiler, which is half of its wheel.
rm -f pennylane_lightning/liblightning_qubit_catalyst.so
# Sections of debuggers in extension modules; Lightning's has 70 MB of them. The libraries of `*.libs` were rewritten by
# auditwheel and have next to none.
find . -name '*.so' -not -path './*.libs/*' -exec strip --strip-unneeded {} +
