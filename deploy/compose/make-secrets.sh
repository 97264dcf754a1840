#!/bin/sh
# Makes secrets/ beside this file: an authority, certificates of the site, the policy servers and Valkey,
# secrets of the agent and of administrators, the master key, Valkey's password, and a users file with one user.
# Needs openssl and argon2 (Debian: openssl, argon2), or a password hash in ALICE_HASH
# (`doorward hash-password`). Does nothing if the folder is there.
set -eu
cd "$(dirname "$0")"
[ ! -e secrets ] || { echo "secrets/ is there already: remove it to begin anew" >&2; exit 1; }
umask 077
mkdir secrets.new
trap 'rm -rf secrets.new' EXIT
cd secrets.new

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -subj "/CN=Doorward compose CA" -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout ca.key -out ca.crt 2>/dev/null
}

# certificate FILE NAME...
certificate() {
    file=$1; shift
    names=$(printf ',DNS:%s' "$@")
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$file.key" -out "$file.csr" 2>/dev/null
    printf 'subjectAltName=%s\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n' \
        "${names#,}" >"$file.ext"
    openssl x509 -req -in "$file.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 \
        -extfile "$file.ext" -out "$file.crt" 2>/dev/null
    rm "$file.csr" "$file.ext"
}

authority
certificate site localhost
certificate policy-server policy-1 policy-2
certificate valkey valkey

for secret in agent-secret admin-secret master-key; do
    openssl rand -base64 32 >"$secret"
done
# Without characters that Valkey's configuration would read as something else.
openssl rand -hex 32 >valkey-password
printf 'requirepass %s\n' "$(cat valkey-password)" >valkey.conf

if [ -z "${ALICE_HASH-}" ]; then
    password=$(openssl rand -base64 12)
    ALICE_HASH=$(printf %s "$password" | argon2 "$(openssl rand -hex 8)" -id -t 2 -k 19456 -p 1 -l 32 -e)
    echo "alice's password: $password"
fi
printf '[[users]]\nname = "alice"\npassword = "%s"\n' "$ALICE_HASH" >users.toml

# The authority's key signs nothing more; keep it elsewhere, and not in the containers.
mv ca.key ../ca.key
rm -f ca.srl
# The containers run as 65532 and must read these; others on this machine must not.
if [ "$(id -u)" = 0 ]; then
    chown -R 65532:65532 .
else
    echo "not root: run 'sudo chown -R 65532:65532 secrets', so that the containers can read it"
fi
cd ..
mv secrets.new secrets
trap - EXIT
