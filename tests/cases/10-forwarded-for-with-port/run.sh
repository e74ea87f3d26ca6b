#!/bin/sh
. "$(dirname "$0")/../paths.sh"
make_model "$WORK/m"
build "$WORK/m"
key='key-of-this-case-with-32-characters-or-more'
keys='"keys":[{"name":"me","sha256":"'$(printf %s "$key" | sha256sum | cut -d' ' -f1)'"}]'
proxies='"trustedProxies":["127.0.0.1/32"]'
access=$WORK/access.json
wrong=0

# The status that a caller gets whom the proxy reports as $1.
status() {
  curl -s -o "$WORK/answer" -w '%{http_code}' "127.0.0.1:$PORT/predict" -H "authorization: Bearer $key" \
    -H "x-forwarded-for: $1" -H 'content-type: application/json' -d "@$ARTIFACT/example.json"
}

(umask 077 && echo "{$keys,$proxies,\"allow\":[\"203.0.113.0/24\",\"2001:db8::/32\"]}" >"$access")
serve --access "$access" || exit 1
for from in 203.0.113.7 203.0.113.7:41234 2001:db8::7 '[2001:db8::7]:41234'; do
  code=$(status "$from")
  echo "allowed network, from $from: $code"
  [ "$code" = 200 ] || wrong=1
done
code=$(status 198.51.100.9:41234)
echo "another network, from 198.51.100.9:41234: $code"
[ "$code" = 403 ] || wrong=1
stop

echo "{$keys,$proxies,\"rate\":{\"perAddress\":2}}" >"$access"
serve --access "$access" || exit 1
codes=
for i in 1 2 3 4 5 6 7 8; do codes="$codes $(status "198.51.100.$i:5000")"; done
echo "eight customers, one request each, limit 2 an address:$codes"
case $codes in *429*) wrong=1 ;; esac
exit $wrong
