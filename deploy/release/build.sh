#!/usr/bin/env bash
# Makes the files of a release in a folder: `deploy/release/build.sh FOLDER KEY.pem BUILDER`. The folder must not be in the
# checkout, which must be clean. KEY.pem signs the provenance; BUILDER is who builds, as a URI. docs/releasing.md
set -euo pipefail
folder=$(realpath -m "$1") key=$(realpath "$2") builder=$3
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
uv() { bash .ci/uv "$@"; }

test -z "$(git status --porcelain)" || { echo "the checkout has changes that no commit has" >&2; exit 1; }
mkdir -p "$folder"
version=$(uv version --short --frozen)
# The same commit gives the same bytes.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
uv build --quiet --out-dir "$folder"
rm -f "$folder/.gitignore"
for extras in "server tracing" "server tracing braket qbraid"; do
    read -ra names <<<"$extras"
    uv export --quiet --frozen --no-default-groups --format cyclonedx1.5 "${names[@]/#/--extra=}" \
        >"$folder/ketline-$version-${extras// /-}.cdx.json"
done
uv run --frozen python -m deploy.release.chart "$folder"
(cd "$folder" && sha256sum -- *.whl *.tar.gz *.tgz *.json >SHA256SUMS)
uv run --frozen python -m deploy.release.provenance sign --key "$key" --builder "$builder" \
    --output "$folder/provenance.json" "$folder"/*.whl "$folder"/*.tar.gz "$folder"/*.tgz "$folder"/*.cdx.json
