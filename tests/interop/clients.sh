#!/bin/bash
# Installs clients that were written for other systems, and runs each, unchanged, against a Doorward that offers the three
# session services on one listener over TLS.
#
#   tests/interop/clients.sh [CLIENT…]
#
# Without names all of: authaz_rest (curl), authaz_soap (Python's zeep), authaz_java (JAX-WS), frodo, javascript_sdk and
# openam_agent (Node), govmomi (Go), vsphere_python. Needs curl, Python 3.9 with venv, Node 18.17 with npm, Go 1.22, a JDK of
# Java 17 with Maven, 300 MB in target/, and the network at the first time; about three minutes.
#
# Exit status: 0 if all of them work, 77 if some cannot be had (it says which, and why) and the others work, else something
# is wrong.

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1

govmomi=v0.46.3
python_packages='vmware-vapi-runtime==9.1.1.0 vmware-vapi-common-client==9.1.1.0 vmware-vcenter==9.1.1.0 zeep==4.3.3'
jaxws=4.0.3
node_packages='@forgerock/javascript-sdk@4.9.1 @forgerock/openam-agent@5.0.1 @rockcarver/frodo-lib@3.3.3'

scripts=$PWD/tests/interop/clients
cache=$PWD/target/clients
missing=
ready=()

say() { echo "clients: $*" >&2; }
fail() { say "FAILED: $*"; exit 1; }
# without CLIENT REASON
without() { say "SKIPPED: $1: $2"; missing=yes; }

# Whether a tool is of a version at least.
is_at_least() { printf '%s\n%s\n' "$2" "$1" | sort -C -V; }

# Whether something was installed as wanted: what was is in a file of its own.
has() { [ "$(cat "$cache/$1.installed" 2> /dev/null)" = "$2" ]; }
remember() { printf '%s\n' "$2" > "$cache/$1.installed"; }

need_python() {
    local version
    version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null)
    is_at_least "${version:-0}" 3.9 || { why="Python ${version:-is not there}: 3.9 is needed"; return 1; }
    has python "$python_packages" && return
    say "fetching Python's clients"
    rm -rf "$cache/python"
    # shellcheck disable=SC2086
    python3 -m venv "$cache/python" && timeout 600 "$cache/python/bin/pip" install -q $python_packages >&2 \
        || { why="pip does not get them"; return 1; }
    remember python "$python_packages"
}

need_node() {
    local version
    version=$(node --version 2> /dev/null)
    is_at_least "${version#v}" 18.17 || { why="Node ${version:-is not there}: 18.17 is needed"; return 1; }
    has node "$node_packages" && return
    say "fetching Node's clients"
    mkdir -p "$cache/node" && echo '{"private": true}' > "$cache/node/package.json"
    # shellcheck disable=SC2086
    (cd "$cache/node" && timeout 600 npm install --ignore-scripts --no-audit --no-fund --loglevel error $node_packages >&2) \
        || { why="npm does not get them"; return 1; }
    remember node "$node_packages"
}

need_go() {
    local wanted
    command -v go > /dev/null || { why="no go: 1.22 is needed"; return 1; }
    wanted="$govmomi $(cksum < "$scripts/govmomi.go")"
    has go "$wanted" && return
    say "fetching and building Go's client"
    rm -rf "$cache/go" && mkdir -p "$cache/go" && cp "$scripts/govmomi.go" "$cache/go/main.go"
    (cd "$cache/go" && go mod init interop && timeout 600 go get "github.com/vmware/govmomi@$govmomi" \
        && timeout 600 go build -o govmomi .) > "$cache/go.log" 2>&1 || { tail -3 "$cache/go.log" >&2; why="Go does not get it"; return 1; }
    remember go "$wanted"
}

# The client is made anew when the description changes.
need_java() {
    local wanted version description=agent/src/services/authaz/auth.wsdl
    version=$(javac -version 2>&1 | sed -n 's/^javac //p')
    is_at_least "${version:-0}" 17 || { why="javac ${version:-is not there}: 17 is needed"; return 1; }
    command -v mvn > /dev/null || { why="no mvn"; return 1; }
    wanted="$jaxws $(cat "$scripts/authaz_java.java" $description | cksum)"
    has java "$wanted" && return
    say "fetching and making Java's client"
    rm -rf "$cache/java" && mkdir -p "$cache/java/out" && cat > "$cache/java/pom.xml" << POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>interop</groupId><artifactId>interop</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>com.sun.xml.ws</groupId><artifactId>jaxws-tools</artifactId><version>$jaxws</version>
  </dependency></dependencies>
</project>
POM
    (timeout 600 mvn -q -B -f "$cache/java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/java/lib") \
        > "$cache/java.log" 2>&1 || { sed -n '/ERROR/p' "$cache/java.log" | head -3 >&2; why="Maven does not get it"; return 1; }
    # What cannot be made from the description is no lack of a tool.
    (java -cp "$cache/java/lib/*" com.sun.tools.ws.WsImport -extension -quiet -d "$cache/java/out" -p authaz $description \
        && javac -cp "$cache/java/lib/*:$cache/java/out" -d "$cache/java/out" "$scripts/authaz_java.java") >&2 \
        || fail "no client can be made from $description"
    remember java "$wanted"
}

need_curl() { command -v curl > /dev/null || { why="no curl"; return 1; }; }

# offer CLIENT LANGUAGE COMMAND…: a program of the client's name, if what it needs can be had.
offer() {
    local client=$1 language=$2
    shift 2
    [ ${#chosen[@]} -eq 0 ] || [[ " ${chosen[*]} " = *" $client "* ]] || return
    if "need_$language"; then
        printf '#!/bin/sh\nexec %s\n' "$(printf "'%s' " "$@")" > "$cache/bin/$client" && chmod +x "$cache/bin/$client"
        ready+=("clients_interop::$client")
    else
        without "$client" "$why"
    fi
}

# Node looks for packages beside the script.
offer_node() {
    offer "$1" node node "$cache/node/$1.mjs"
    [ ! -d "$cache/node" ] || cp "$scripts/$1.mjs" "$cache/node/"
}

chosen=("$@")
for client in "${chosen[@]}"; do
    [ -e "$(compgen -G "$scripts/$client.*" | head -1)" ] || fail "no client is called $client"
done
why=
command -v cargo > /dev/null || { say "SKIPPED: no cargo"; exit 77; }
rm -rf "$cache/bin" && mkdir -p "$cache/bin" || fail "$cache cannot be written"
offer authaz_java java java -cp "$cache/java/lib/*:$cache/java/out" Client
offer authaz_rest curl bash "$scripts/authaz_rest.sh"
offer authaz_soap python "$cache/python/bin/python" "$scripts/authaz_soap.py"
offer_node frodo
offer govmomi go "$cache/go/govmomi"
offer_node javascript_sdk
offer_node openam_agent
offer vsphere_python python "$cache/python/bin/python" "$scripts/vsphere_python.py"

if [ ${#ready[@]} -gt 0 ]; then
    DOORWARD_CLIENTS=$cache/bin cargo test -p integration-tests --test it -- --ignored --nocapture --exact "${ready[@]}" \
        || fail "a client does not work"
fi
[ -z "$missing" ] || exit 77
say "all of them work: ${ready[*]#*::}"
