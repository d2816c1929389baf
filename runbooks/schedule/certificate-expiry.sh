#!/usr/bin/env bash
# Asks each endpoint of $ENDPOINTS (one a line) for its certificates, and prints one line for each, parted by tabs:
#
#     endpoint  ok           days left  date of expiry  subject of the certificate that expires first
#     endpoint  unreachable  reason
#
# Days are whole ones and below zero after expiry.
set -euo pipefail

readonly PATIENCE=10 # seconds for one connection
readonly TRIES=2     # one lost packet is no news

main() {
    local endpoint
    while IFS= read -r endpoint; do
        [ -z "$endpoint" ] || ask "$endpoint"
    done <<<"$ENDPOINTS"
}

ask() {
    local endpoint=$1 host=${1%:*} port=${1##*:} try chain='' reason=''
    if [[ ! $endpoint =~ ^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]+$ || $host = -* ]]; then
        printf '%s\tunreachable\tit is not host:port\n' "${endpoint//$'\t'/ }"
        return
    fi
    # A server name is sent where there is one; an address is none.
    local name=(-servername "$host")
    [[ ! $host =~ ^(\[.*|[0-9.]+)$ ]] || name=(-noservername)

    for ((try = 1; try <= TRIES; try++)); do
        chain=$(timeout "$PATIENCE" openssl s_client -connect "$host:$port" "${name[@]}" -showcerts </dev/null 2>&1) || true
        [[ $chain != *'BEGIN CERTIFICATE'* ]] || break
    done
    if [[ $chain != *'BEGIN CERTIFICATE'* ]]; then
        # OpenSSL puts the reason between the function that failed and the file it is in.
        reason=$(sed -n 's/.*:error:[0-9A-F]*:[^:]*:[^:]*:\([^:]*\):.*/\1/p' <<<"$chain" | head -n 1)
        printf '%s\tunreachable\t%s\n' "$endpoint" "${reason:-no answer within $PATIENCE s}"
        return
    fi
    printf '%s\tok\t%s\n' "$endpoint" "$(first_to_expire <<<"$chain")"
}

# Of the certificates on standard input the one that expires first: days left, date and subject, parted by tabs.
first_to_expire() {
    local key value until='' now
    now=$(date +%s)
    awk '/-----BEGIN CERTIFICATE-----/ { inside = 1; pem = "" }
         inside { pem = pem $0 "\n" }
         /-----END CERTIFICATE-----/ { inside = 0; print pem | reader; close(reader) }' \
        reader='openssl x509 -noout -enddate -subject -nameopt RFC2253' |
        while IFS='=' read -r key value; do
            case "$key" in
                notAfter) until=$(date --date="$value" +%s) ;;
                subject)
                    printf '%d\t%d\t%s\t%s\n' "$until" $(((until - now - (until < now ? 86399 : 0)) / 86400)) \
                        "$(date -u --date="@$until" +%FT%TZ)" "${value//$'\t'/ }"
                    ;;
            esac
        done | sort -n | head -n 1 | cut -f 2-
}

main
