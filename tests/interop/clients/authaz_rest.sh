#!/bin/bash
# The REST interface of the AuthAz services as scripts call it: curl, with the bodies of the vendor's documents.

set -u -o pipefail
rest=$DOORWARD_URL/authazws/AuthRestService
user=$DOORWARD_USER
password=$DOORWARD_PASSWORD

fail() { echo "line ${BASH_LINENO[1]}: $*" >&2; exit 1; }

# call PATH BODY [curl's options]: leaves `status` and `answer`.
call() {
    local path=$1 body=$2
    shift 2
    answer=$(curl -sS -m 20 -w '\n%{http_code}' -X POST -d "$body" "$@" "$rest/$path") || fail "curl: $path"
    status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
}
xml() { local path=$1 body=$2; shift 2; call "$path" "$body" -H 'Content-Type: application/xml' "$@"; }
json() { call "$1" "$2" -H 'Content-Type: application/json' -H 'Accept: application/json'; }

# The text of the first element, or of the first member, of a name.
element() { sed -n "s/.*<$1>\([^<]*\)<.*/\1/p" <<< "$answer"; }
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<< "$answer"; }

expect() { [ "$status $1" = "$2" ] || fail "$status $1 instead of $2: $answer"; }
request() {
    echo "<loginRequest><binaryCreds></binaryCreds><password>$2</password><$3>$1</$3><action>GET</action></loginRequest>"
}
authorization() {
    echo "<authorizationRequest><action>$1</action><resource>app/index.html</resource>\
<sessionToken>$2</sessionToken></authorizationRequest>"
}

xml login/app/app/index.html "$(request "$user" wrong userName)"
expect "$(element resultCode)" '200 LOGIN_FAILED'
xml login/app/app/index.html "$(request nobody "$password" userName)"
expect "$(element resultCode)" '200 LOGIN_FAILED'
[ -z "$(element sessionToken)" ] || fail "a token: $answer"
xml login/app/app/index.html '<loginRequest>'
expect "$(element resultCode)" '400 LOGIN_ERROR'
xml login/unknown/app/index.html "$(request "$user" "$password" userName)"
expect "$(element resultCode)" '400 LOGIN_ERROR'
for password_and_message in "$password/yes" wrong/no; do
    xml blogin/app/app/index.html "$(request "$user" "${password_and_message%/*}" userName)"
    expect "$(element message)" "200 ${password_and_message#*/}"
    [ -z "$(element sessionToken)" ] || fail "a token: $answer"
done

# As services before 12.8 SP2 have it, and as later ones do.
for spelling in username userName; do
    xml login/app/app/index.html "$(request "$user" "$password" $spelling)"
    expect "$(element resultCode)" '200 LOGIN_SUCCESS'
    token=$(element sessionToken)
    [ -n "$token" ] || fail "no token: $answer"
    grep -q "<name>SM_USER</name><value>$user</value>" <<< "$answer" || fail "no attributes: $answer"
    xml authz/app/app/index.html "$(authorization GET "$token")"
    expect "$(element resultCode)" '200 AUTHORIZED'
    xml authz/app/app/index.html "$(authorization POST "${token%?????}AAAAA")"
    expect "$(element resultCode)" '200 NOTAUTHORIZED'
    xml logout/app/app/index.html/ "<logoutRequest><sessionToken>$token</sessionToken></logoutRequest>"
    expect "$(element resultCode)" '200 LOGOUT_SUCCESS'
    xml authz/app/app/index.html "$(authorization GET "$token")"
    expect "$(element resultCode)" '200 NOTAUTHORIZED'
    echo "ended $token"
done

# Curl waits to be told to go on only with long bodies; other clients always do.
xml login/app/app/index.html "$(request "$user" "$password" userName)" -H 'Expect: 100-continue' -H 'Cookie: SMCHALLENGE=YES'
expect "$(element resultCode)" '200 LOGIN_SUCCESS'
echo "open $(element sessionToken)"

json login/app/app/index.html "{\"userName\": \"$user\", \"password\": \"wrong\", \"action\": \"GET\"}"
expect "$(member resultCode)" '200 LOGIN_FAILED'
json login/app/app/index.html "{\"userName\": \"$user\", \"password\": \"$password\", \"action\": \"GET\"}"
expect "$(member resultCode)" '200 LOGIN_SUCCESS'
token=$(member sessionToken)
json authz/app/app/index.html "{\"action\": \"GET\", \"sessionToken\": \"$token\"}"
expect "$(member resultCode)" '200 AUTHORIZED'
json logout "{\"sessionToken\": \"$token\"}"
expect "$(member resultCode)" '200 LOGOUT_SUCCESS'
json authz/app/app/index.html "{\"action\": \"GET\", \"sessionToken\": \"$token\"}"
expect "$(member resultCode)" '200 NOTAUTHORIZED'
echo "ended $token"
