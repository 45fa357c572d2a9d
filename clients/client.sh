#!/bin/sh
# Asks a service started with `python -m thaw serve` what it sees on pictures, with curl; prints its JSON.
#
#     sh client.sh http://127.0.0.1:8600 photo.jpg [more.png ...]
#
# Several pictures go in one request, whose answer is a list. A picture can also be the body itself:
#     curl --data-binary @photo.jpg -H "content-type: image/jpeg" http://127.0.0.1:8600/predict
set -eu

if [ "$#" -lt 2 ]; then
    echo "Usage: sh client.sh http://127.0.0.1:8600 photo.jpg [more.png ...]" >&2
    exit 2
fi
address="${1%/}"
shift

# Turns "photo.jpg more.png" into "-F file=@"photo.jpg" -F file=@"more.png"", whatever the names hold.
for picture in "$@"; do
    escaped=$(printf '%s' "$picture" | sed 's/[\\"]/\\&/g')
    set -- "$@" --form "file=@\"$escaped\""
    shift
done

# --fail-with-body: the service's reason is printed, and the exit status is not 0.
# --noproxy: a proxy of the environment cannot reach this machine itself. It takes the place of no_proxy.
elsewhere="${no_proxy:-${NO_PROXY:-}}"
exec curl --silent --show-error --fail-with-body --max-time 60 --retry 4 --retry-connrefused \
    --noproxy "127.0.0.1,localhost,::1${elsewhere:+,$elsewhere}" "$@" "$address/predict"
