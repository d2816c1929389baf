#!/usr/bin/env bash
# With MODE=list names every file that may go, oldest first. With MODE=delete deletes them in that order until the file
# system of $MOUNT is at most $TARGET percent full.
#
# $ROOTS and $PATTERNS hold one item a line. The roots are real paths that somebody has judged already. How many files
# and bytes it came to is left in $LOCKSTEP_OUTPUT.
set -euo pipefail

main() {
    local needed files=0 bytes=0 entry path
    needed=$(bytes_over_target)
    declare -A open=()
    while IFS= read -r -d '' path; do open[$path]=1; done < <(open_files)

    while { [ "$MODE" = list ] || [ "$bytes" -lt "$needed" ]; } && IFS= read -r -d '' entry; do
        local modified=${entry%%.*} rest=${entry#* }
        local size=$((${rest%% *} * 512))
        path=${rest#* }
        if [ -n "${open[$path]:-}" ]; then
            printf 'kept, since a process has it open: %s\n' "$path"
        elif [ "$MODE" = delete ] && ! rm -- "$path"; then
            printf 'kept, since it cannot be deleted: %s\n' "$path"
        else
            printf '%s, last written %(%F)T, %d bytes: %s\n' "$MODE" "$modified" "$size" "$path"
            files=$((files + 1))
            bytes=$((bytes + size))
        fi
    done < <(candidates)

    printf '{"files": %d, "bytes": %d, "needed": %d}\n' "$files" "$bytes" "$needed" >"$LOCKSTEP_OUTPUT"
}

# How many bytes have to go, by the same sum as df's percentage: what is reserved for root counts neither way.
bytes_over_target() {
    local used available
    read -r used available < <(df --block-size=1 --output=used,avail -- "$MOUNT" | tail -n 1)
    local over=$((used - (used + available) * TARGET / 100))
    echo $((over > 0 ? over : 0))
}

# What may go, as "modified blocks path" ended by NUL. A file with a second name is left alone: deleting one of its names
# frees nothing. Folders that cannot be read are named on standard error and passed over.
candidates() {
    local roots names=() pattern
    mapfile -t roots <<<"$ROOTS"
    while IFS= read -r pattern; do
        [ -z "$pattern" ] || names+=(${names:+-o} -name "$pattern")
    done <<<"$PATTERNS"
    # At least so many full days: find counts full days and + means more than.
    find "${roots[@]}" -xdev -type f -links 1 -mtime "+$((MIN_AGE_DAYS - 1))" '(' "${names[@]}" ')' \
        -printf '%T@ %b %p\0' | sort -z -u | sort -z -n
}

# The files that some process has open. Deleting them would free nothing, and lose what is still being written. Without
# root's rights only one's own processes can be seen.
open_files() {
    find /proc -mindepth 3 -maxdepth 3 -path '/proc/[0-9]*/fd/*' -lname '/*' -printf '%l\0' 2>/dev/null || true
}

main
