#!/bin/bash
# Installs and starts a real OpenAM, and runs the story of the `am` back end against it.
#
#   tests/interop/openam.sh
#
# Needs Java 17, Maven, curl, 3 GB of memory, 2 GB in target/, about ten minutes, and a name with a dot that leads to
# this machine: OPENAM_HOST, or openam.example.org, which is added to /etc/hosts for the time if that may be written.
# OPENAM_VERSION and OPENAM_PORT (HTTPS; the next one is plain HTTP, for the setup alone) may be set.
#
# Exit status: 0 if the story holds, 77 if there is no OpenAM to be had (it says why), else something is wrong.

set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1

version=${OPENAM_VERSION:-16.0.5}
tomcat_version=10.1.46
host=${OPENAM_HOST:-openam.example.org}
port=${OPENAM_PORT:-28443}
plain=$((port + 1))
cache=$PWD/target/openam
folder=$(mktemp -d "${TMPDIR:-/tmp}/openam.XXXXXX")
plain_url=http://$host:$plain/openam
url=https://$host:$port/openam
named=
started=

say() { echo "openam: $*" >&2; }
skip() { say "SKIPPED: $*"; exit 77; }
fail() { say "FAILED: $*"; exit 1; }

finish() {
    status=$?
    [ -n "$started" ] && sh "$folder"/tomcat/bin/catalina.sh stop 10 -force > /dev/null 2>&1
    # Rewritten in place: it may be mounted.
    [ -n "$named" ] && sed "/ $host # interop\$/d" /etc/hosts > "$folder/hosts" && cat "$folder/hosts" > /etc/hosts
    if [ $status -ne 0 ] && [ $status -ne 77 ]; then
        say "what it left is in $folder"
    else
        rm -rf "$folder"
    fi
}
trap finish EXIT
trap 'exit 1' INT TERM

for tool in java keytool mvn curl unzip cargo; do
    command -v $tool > /dev/null || skip "no $tool; Debian: openjdk-17-jre-headless maven curl unzip"
done
java_version=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
[ "${java_version:-0}" -ge 17 ] || skip "Java ${java_version:-?} is too old: 17 is needed"
free=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
[ "$free" -ge 3000 ] || skip "only $free MB of memory left: 3000 are needed"
if ! getent hosts "$host" > /dev/null; then
    [ -w /etc/hosts ] || skip "$host leads nowhere, and /etc/hosts cannot be written"
    echo "127.0.0.1 $host # interop" >> /etc/hosts
    named=yes
fi
getent ahostsv4 "$host" | grep -q '^127\.' || skip "$host does not lead to this machine"

fetch() {
    mkdir -p "$cache"
    timeout 900 mvn -q -B dependency:copy -Dartifact="$1" -DoutputDirectory="$cache" > "$folder/mvn.log" 2>&1 \
        || { sed -n '/ERROR/p' "$folder/mvn.log" | head -3 >&2; skip "Maven does not find $1"; }
}
say "fetching OpenAM $version (340 MB at the first time)"
fetch org.openidentityplatform.openam:openam-server:$version:war
fetch org.apache.tomcat:tomcat:$tomcat_version:zip

cd "$folder" || exit 1
unzip -q "$cache/tomcat-$tomcat_version.zip" && mv apache-tomcat-$tomcat_version tomcat || fail "Tomcat"
rm -rf tomcat/webapps/* && mkdir -p tomcat/webapps/openam config
(cd tomcat/webapps/openam && unzip -q "$cache/openam-server-$version.war") || fail "the WAR"
keytool -genkeypair -alias am -keyalg EC -groupname secp256r1 -dname "CN=$host" -ext "san=dns:$host" -validity 2 \
    -storetype PKCS12 -keystore am.p12 -storepass changeit 2> keytool.log || fail "keytool"
keytool -exportcert -rfc -alias am -keystore am.p12 -storepass changeit > am.crt 2>> keytool.log || fail "keytool"
cat > tomcat/conf/server.xml << XML
<Server port="-1"><Service name="Catalina">
  <Connector port="$plain" address="127.0.0.1" />
  <Connector port="$port" address="127.0.0.1" SSLEnabled="true" scheme="https" secure="true"><SSLHostConfig>
    <Certificate certificateKeystoreFile="$folder/am.p12" certificateKeystorePassword="changeit" />
  </SSLHostConfig></Connector>
  <Engine name="Catalina" defaultHost="localhost">
    <Host name="localhost" appBase="webapps" unpackWARs="false" autoDeploy="false" />
  </Engine>
</Service></Server>
XML
exports=
for package in java.base/sun.security.util java.base/sun.security.x509 java.base/sun.security.tools.keytool \
    java.security.jgss/sun.security.krb5 java.xml/com.sun.org.apache.xerces.internal.dom; do
    exports="$exports --add-exports $package=ALL-UNNAMED"
done
export CATALINA_HOME=$folder/tomcat CATALINA_PID=$folder/tomcat.pid
export JAVA_OPTS="-Xmx2g $exports"
export CATALINA_OPTS="-Dcom.iplanet.services.configpath=$folder/config -Dcom.sun.identity.configuration.directory=$folder/config"

# Any answer at all.
until_answer() {
    for _ in $(seq 120); do
        curl -s -m 5 --cacert am.crt -o answer "$1" && return
        sleep 1
    done
    tail -20 tomcat/logs/catalina.out >&2
    fail "no answer from $1"
}
say "starting"
started=yes
sh tomcat/bin/catalina.sh start > /dev/null || fail "Tomcat does not start"
until_answer "$plain_url/isAlive.jsp"

say "setting up"
setup=()
while read -r line; do setup+=(--data-urlencode "$line"); done << SETUP
acceptLicense=true
SERVER_URL=http://$host:$plain
DEPLOYMENT_URI=/openam
BASE_DIR=$folder/config
locale=en_US
PLATFORM_LOCALE=en_US
AM_ENC_KEY=not-a-secret-not-a-secret-not-a-secret
ADMIN_PWD=passw0rd
ADMIN_CONFIRM_PWD=passw0rd
AMLDAPUSERPASSWD=p@passw0rd
AMLDAPUSERPASSWD_CONFIRM=p@passw0rd
COOKIE_DOMAIN=${host#*.}
DATA_STORE=embedded
DIRECTORY_SSL=SIMPLE
DIRECTORY_SERVER=$host
DIRECTORY_PORT=$((port + 2))
DIRECTORY_ADMIN_PORT=$((port + 3))
DIRECTORY_JMX_PORT=$((port + 4))
ROOT_SUFFIX=dc=openam,dc=example,dc=org
DS_DIRMGRDN=cn=Directory Manager
DS_DIRMGRPASSWD=passw0rd
SETUP
curl -sS -m 600 "${setup[@]}" "$plain_url/config/configurator" > setup.log || fail "the setup does not end"
grep -q 'Configuration complete' setup.log || { sed 's/<[^>]*>/ /g' setup.log | head -20 >&2; fail "the setup"; }

# Notifications are there only after a start with a configuration.
say "starting anew"
sh tomcat/bin/catalina.sh stop 20 -force > /dev/null 2>&1
sh tomcat/bin/catalina.sh start > /dev/null || fail "Tomcat does not start"
until_answer "$url/json/serverinfo/*"

say "making an agent and a policy"
rest() { curl -sS -m 30 --cacert am.crt -H 'Content-Type: application/json' "$@"; }
admin=$(rest -H 'Accept-API-Version: resource=2.0' -H 'X-OpenAM-Username: amadmin' -H 'X-OpenAM-Password: passw0rd' \
    -d '{}' "$url/json/realms/root/authenticate" | sed -n 's/.*"tokenId":"\([^"]*\)".*/\1/p')
[ -n "$admin" ] || fail "the administrator cannot log in"
make() {
    rest -f -H 'Accept-API-Version: resource=2.0' -H "iPlanetDirectoryPro: $admin" -d "$2" \
        "$url/json/realms/root/$1?_action=create" > made.json || fail "no $1"
}
make agents '{"username": "doorward", "agenttype": ["WebAgent"], "userpassword": "not-a-secret-1",
    "sunIdentityServerDeviceStatus": ["Active"], "serverurl": ["'"$plain_url"'"], "agenturl": ["https://app.test:443"]}'
make policies '{"name": "doorward", "active": true, "applicationName": "iPlanetAMWebAgentService",
    "resourceTypeUuid": "76656a38-5f8e-401b-83aa-4ccb74ce88d2", "resources": ["https://app.test:443/app/*"],
    "actionValues": {"GET": true}, "subject": {"type": "AuthenticatedUsers"}}'

say "the story"
cd - > /dev/null || exit 1
DOORWARD_OPENAM_URL=$url DOORWARD_OPENAM_CA=$folder/am.crt DOORWARD_OPENAM_AGENT_PASSWORD=not-a-secret-1 \
    cargo test -p integration-tests --test it am_interop -- --ignored --nocapture || fail "the story does not hold"
say "the story holds with OpenAM $version"
