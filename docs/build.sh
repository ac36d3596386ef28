#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Builds the site from the pages in docs/, the field tables of `fare`, and the C headers. A warning is an
# error.
#   docs/build.sh [--links] [DIRECTORY]      default: build/site; open index.html there
# --links visits the addresses on the web that the pages name; it needs a network, and CI has none.
# FARE_COMMAND names another program than build/bin/fare. FARE_DOCS_OFFLINE=1 puts Debian's MathJax into the
# site (50 MB), so that it shows its equations without the web.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fare=${FARE_COMMAND:-build/bin/fare}
links=
if [[ ${1:-} == --links ]]; then
  links=1
  shift
fi
site=${1:-build/site}
[[ -x $fare ]] || { echo "docs/build.sh: no program '$fare'; build FARE first" >&2; exit 2; }
# Debian's Python, where its packages are
python=${FARE_PYTHON:-}
for candidate in $python python3 /usr/bin/python3; do
  if "$candidate" -c 'import sphinx, myst_parser, furo' 2>/dev/null; then python=$candidate; break; fi
done
"${python:-python3}" -c 'import sphinx, myst_parser, furo' 2>/dev/null ||
  { echo "docs/build.sh: needs python3-sphinx, python3-myst-parser and furo" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r docs/. "$work"
cp CHANGELOG.md CONTRIBUTING.md CODE_OF_CONDUCT.md SECURITY.md CITATION.cff LICENSE "$work"
cp -r input packaging "$work"
"$python" docs/reference.py "$fare" "$work/reference"
FARE_VERSION=$("$fare" help | sed -n 's/.*FARE \([0-9.]*\) .*/\1/p')
export FARE_VERSION
if command -v doxygen >/dev/null; then
  mkdir -p "$work/api/api"
  (cat docs/Doxyfile; echo 'WARN_AS_ERROR=NO'; echo 'WARNINGS=NO'; echo 'WARN_IF_UNDOCUMENTED=NO') |
    FARE_REFERENCE="$work/doxygen" doxygen - >/dev/null 2>&1
  mv "$work/doxygen/html" "$work/api/api/c"
else
  echo "docs/build.sh: without doxygen the site has no C API" >&2
fi
# Pages link to files of the repository by paths from docs/; here these files stand beside the pages.
sed -i -E 's#\]\(\.\./(input/|packaging/|[A-Z_]+\.md|CITATION|LICENSE)#](\1#g; s#\]\(docs/#](#g' \
  "$work"/*.md "$work"/*/*.md
"$python" -m sphinx -W --keep-going -q -b html "$work" "$site"
if [[ $links ]]; then "$python" -m sphinx -q -b linkcheck "$work" "$site/.links"; fi
echo "site: $site/index.html"
