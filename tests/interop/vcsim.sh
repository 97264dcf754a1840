#!/bin/bash
# Installs govmomi's vCenter simulator, and runs the story of the `vsphere` back end against it.
#
#   tests/interop/vcsim.sh
#
# Needs Go 1.22 or later, which fetches the simulator at the first time, and about two minutes.
#
# Exit status: 0 if the story holds, 77 if there is no simulator to be had (it says why), else something is wrong.

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1

# The last version whose command is in the module itself.
version=v0.46.3

skip() { echo "vcsim: SKIPPED: $*" >&2; exit 77; }

command -v cargo > /dev/null || skip "no cargo"
command -v go > /dev/null || skip "no go; a later one than Debian 12 has: 1.22"
folder=$PWD/target/vcsim
if [ ! -x "$folder/vcsim" ]; then
    echo "vcsim: fetching $version" >&2
    GOBIN=$folder timeout 600 go install "github.com/vmware/govmomi/vcsim@$version" || skip "Go does not get it"
fi
VCSIM=$folder/vcsim cargo test -p integration-tests --test it vcsim_interop -- --ignored --nocapture
