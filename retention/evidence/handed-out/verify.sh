#!/bin/sh
# Checks this evidence package with tools that everybody has: sha256sum, openssl, xxd, and the tools of POSIX.
# Nothing of the recorder that made it is used or believed.
#
#   sh verify.sh [FINGERPRINT [CERTIFICATES [WITNESS...]]]
#
# FINGERPRINT is that of the recorder's key, from its acceptance papers: of its first key, or of one that followed.
# Without it this only shows that the package is all of one piece, not whose it is. CERTIFICATES: a file (PEM) with those
# of the time-stamping authority, from itself; without it, or where it is '', those in the package are taken. WITNESS: the
# verifier keys of witnesses, each from itself; without them those in the package are taken. Exit code 0: all holds. 1:
# something does not, and what is said. 2: cannot be checked.
set -u
LC_ALL=C
export LC_ALL
unset CDPATH
roots=keys/tsa-roots.pem
theirs=${2:-}
case $theirs in '') ;; /*) roots=$theirs ;; *) roots=$PWD/$theirs ;; esac
cd "$(dirname "$0")" || exit 2

for tool in sha256sum openssl xxd awk basename cat cmp comm cut dirname find grep head mkdir mktemp paste printf rm sed sort split tail tr uniq; do
    command -v "$tool" >/dev/null 2>&1 || { echo "This needs $tool, which is not installed."; exit 2; }
done
temp=$(mktemp -d) || exit 2
case $temp in /*) ;; *) temp=$PWD/$temp ;; esac
trap 'rm -rf "$temp"' EXIT
: >"$temp/problems"
if [ $# -gt 2 ]; then (shift 2; printf '%s\n' "$@"); fi >"$temp/named"

unchecked() { # why: what cannot be checked is never good
    echo "This cannot be checked: $1" >&2
    kill -TERM "$$"
    exit 2
}
trap 'trap - EXIT; rm -rf "$temp"; exit 2' TERM # some shells end with 0 else
fail() { # file, sentence. Names may hold anything, such as what makes a terminal show something else
    case $1 in 说明.txt) name_=$1 ;; *) name_=$(printf %s "$1" | tr -c '\040-\176' '?') ;; esac
    printf 'FAIL %s: %s\n' "$name_" "$2"
    printf 'FAIL %s: %s\n' "$name_" "$2" 2>/dev/null >>"$temp/problems" || unchecked "there is no room in $temp."
}

# 1. There are files of known names alone; each is listed, each listed one is there, and is what it was (sha256sum).
stream_name='[a-z0-9][a-z0-9_-]*\.[a-z]+'
number='(0|[1-9][0-9]{0,14})'
names="README\.txt|说明\.txt|verify\.(sh|py)|claim\.json|custody\.jsonl|(timeline|clock|files)\.csv|keys/log(\.sm2|-(0|[1-9][0-9]{0,3}))?\.pub\.pem"
names="$names|files\.pdf|keys/tsa-roots\.pem|proof/anchors/$number\.(body|path|tsr|[0-9a-f]{8}\.note)"
names="$names|proof/(checkpoint|leaves\.jsonl|paths\.txt|heads/$number\.json)"
names="$names|media/$stream_name/($number-[0-9]{8}T[0-9]{6}\.[0-9]{3}Z|play-$number)\.mp4"
find . -name '*
*' | grep -q . && fail "A name" "It has a line break in it."
find . ! -type f ! -type d | while IFS= read -r name; do fail "$name" "It is neither a file nor a folder."; done
find . -type f ! -path ./SHA256SUMS ! -path ./SHA256SUMS.sig ! -path ./SHA256SUMS.tsr | sed 's|^\./||' | sort >"$temp/found"
grep -vE "^($names)\$" "$temp/found" | while IFS= read -r name; do fail "$name" "No file of a package has such a name."; done
find . -type d ! -path . | sed 's|^\./||' | grep -vE "^(keys|media(/$stream_name)?|proof(/(anchors|heads))?)\$" |
    while IFS= read -r name; do fail "$name" "No folder of a package has such a name."; done
if [ -s "$temp/problems" ]; then echo "NOT GOOD. 未通过校验"; exit 1; fi
texts() { find SHA256SUMS claim.json proof -type f ! -name '*.tsr' "$@" 2>/dev/null; }
if [ -n "$(texts -exec cat {} + | tr -cd '\000' | head -c 1 | xxd -p)" ]; then
    texts | while IFS= read -r name; do
        tr -d '\000' <"$name" | cmp -s - "$name" || fail "$name" "There is a null byte in it."
    done
    [ -s "$temp/problems" ] || unchecked "there is no room in $temp."
fi
[ "$(tail -c 1 SHA256SUMS | xxd -p)" = 0a ] || fail SHA256SUMS "Its last line is cut off."
grep -vE "^[0-9a-f]{64}  ($names)\$" SHA256SUMS | grep -q . && fail SHA256SUMS "A line cannot be read."
cut -c67- SHA256SUMS | sort >"$temp/listed"
uniq -d "$temp/listed" | while IFS= read -r name; do fail SHA256SUMS "It names $name twice."; done
comm -13 "$temp/listed" "$temp/found" | while IFS= read -r name; do fail "$name" "The list of files does not name it."; done
comm -23 "$temp/listed" "$temp/found" | while IFS= read -r name; do fail "$name" "It is listed, and not there."; done
sha256sum -c SHA256SUMS >"$temp/sums" 2>/dev/null || fail SHA256SUMS "Not every file is as it was listed."
sed -n 's/: FAILED.*$//p' "$temp/sums" | while IFS= read -r name; do
    fail "$name" "It was changed: its hash is not the listed one."
done

papers=$(printf %s "${1-}" | tr -d ': ' | tr 'A-F' 'a-f') # before arguments serve for something else
[ $# -eq 0 ] || papers=${papers:-nothing}

# 2. The key that signed this (its fingerprint is the SHA-256 of its DER form).
fingerprint() { openssl pkey -pubin -in "$1" -outform DER 2>/dev/null | sha256sum | cut -c1-64; }
found=$(fingerprint keys/log.pub.pem)
for name in keys/log.pub.pem keys/log-*.pub.pem; do
    [ -e "$name" ] || [ "$name" = keys/log.pub.pem ] || continue
    openssl pkey -pubin -in "$name" 2>/dev/null | cmp -s - "$name" && [ -s "$name" ] &&
        openssl pkey -pubin -in "$name" -outform DER 2>/dev/null | xxd -p | grep -q '^302a300506032b6570032100' ||
        fail "$name" "It is no public key of Ed25519, written as such and nothing else."
done

# 3. The list of files was signed with that key (Ed25519).
openssl pkeyutl -verify -pubin -inkey keys/log.pub.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig >/dev/null 2>&1 ||
    fail SHA256SUMS.sig "It is not the signature of SHA256SUMS by this key."

# 4. The log had this size and root (C2SP signed note: the text up to the empty line is signed).
sed '/^$/,$d' proof/checkpoint >"$temp/body" 2>/dev/null
origin=$(sed -n 1p "$temp/body") size=$(sed -n 2p "$temp/body")
root=$(sed -n 3p "$temp/body" | openssl base64 -d -A 2>/dev/null | xxd -p -c 64)
sed '1,/^$/d' proof/checkpoint 2>/dev/null >"$temp/lines"
b='[A-Za-z0-9+/]'
note_line="^— [^[:space:]]+ ($b{4})*($b{4}|$b{3}=|$b{2}==)\$"
grep -qvE "$note_line" "$temp/lines" && fail proof/checkpoint "A signature line of it cannot be read."
[ "$(tail -c 1 proof/checkpoint 2>/dev/null | xxd -p)" = 0a ] || fail proof/checkpoint "Its last line is cut off."
id=$({ printf '%s\n\001' "$origin"; openssl pkey -pubin -in keys/log.pub.pem -outform DER 2>/dev/null | tail -c 32; } | sha256sum | cut -c1-8)
: >"$temp/ours"
[ -z "$(tail -c +65537 proof/checkpoint 2>/dev/null | head -c 1 | xxd -p)" ] || fail proof/checkpoint "It is too large."
awk -v origin="$origin" '$2 "" == origin "" { print $3 }' "$temp/lines" | while read -r line; do
    printf %s "$line" | openssl base64 -d -A >"$temp/line" 2>/dev/null
    [ "$(xxd -p -l 4 "$temp/line")" = "$id" ] || continue
    echo "$line" >>"$temp/ours"
    tail -c +5 "$temp/line" >"$temp/signature"
    openssl pkeyutl -verify -pubin -inkey keys/log.pub.pem -rawin -in "$temp/body" -sigfile "$temp/signature" \
        >/dev/null 2>&1 || fail proof/checkpoint "It was not signed with this key."
done
[ -s "$temp/ours" ] || fail proof/checkpoint "It was not signed with this key."
printf '%s\n' "$size" | grep -qE "^$number\$" || { fail proof/checkpoint "It tells no size."; size=0; }

# 5. Every entry stands in that log (RFC 6962: SHA-256 of 00 and the entry; of 01, left and right).
mkdir "$temp/nodes" || exit 2
node() { # left, right: their node becomes $made. Neighbours share most of their way: what was made once is kept.
    if [ -f "$temp/nodes/$1$2" ]; then
        read -r made <"$temp/nodes/$1$2"
    else
        made=$(printf '01%s%s' "$1" "$2" | xxd -r -p | sha256sum)
        made=${made%% *}
        printf '%s\n' "$made" >"$temp/nodes/$1$2"
    fi
}

if grep -qvE "^$number( [0-9a-f]{64})*\$" proof/paths.txt; then
    fail proof/paths.txt "A line cannot be read."
    echo "NOT GOOD. 未通过校验"
    exit 1
fi
for name in proof/leaves.jsonl proof/paths.txt; do
    [ "$(tail -c 1 "$name" | xxd -p)" = 0a ] || fail "$name" "Its last line is cut off."
done
cut -d' ' -f1 proof/paths.txt | sort -nuc 2>/dev/null || fail proof/leaves.jsonl "An entry stands twice, or out of order."
for name in proof/leaves.jsonl proof/paths.txt claim.json; do
    [ -r "$name" ] || { fail "$name" "It is not there, or cannot be read."; echo "NOT GOOD. 未通过校验"; exit 1; }
done
# All of one level are hashed at once: a process for each of them would take hours for a day of footage.
mkdir "$temp/pairs" || exit 2
line=0
while IFS= read -r entry; do
    line=$((line + 1))
    { printf '\000'; printf %s "$entry"; } >"$temp/pairs/$line" || unchecked "there is no room in $temp."
done <proof/leaves.jsonl
there=$line ways=$(grep -c '' proof/paths.txt)
[ "$ways" -ge "$there" ] || fail proof/paths.txt "It has fewer lines than there are entries."
[ "$ways" -le "$there" ] || fail proof/paths.txt "It has more lines than there are entries."
hashes() { # of the files that stand in pairs, by their names
    (cd "$temp/pairs" && find . -type f -exec sha256sum {} +) | sed 's|^\(.*\)  \./|\1 |'
    rm -rf "$temp/pairs"
    mkdir "$temp/pairs"
}
hashes | sort -n -k 2 | cut -d' ' -f1 >"$temp/hashes"
[ "$(grep -c '' "$temp/hashes")" -eq "$there" ] || unchecked "there is no room in $temp."
cut -d' ' -f1 proof/paths.txt | paste -d' ' - "$temp/hashes" proof/leaves.jsonl | grep -E "^$number [0-9a-f]{64} " >"$temp/entries"
[ -s "$temp/problems" ] || [ "$(grep -c '' "$temp/entries")" -eq "$there" ] || unchecked "there is no room in $temp."
cat >"$temp/walk.awk" <<'AWK'
# A line is an entry on its way to the root: index, RFC 9162's fn and sn (2.1.3.2), the hash so far, those still to come.
# =N stands for the hash of the Nth of the pairs that were hashed.
FILENAME == sums { made[++known] = $1; next }
substr($4, 1, 1) == "=" { $4 = made[substr($4, 2) + 0] }
NF == 4 || $3 <= 0 { print; next }
{
    fn = $2; sn = $3; pair = $4 $5
    if (fn % 2 == 1 || fn == sn) {
        pair = $5 $4
        while (fn > 0 && fn % 2 == 0) { fn = int(fn / 2); sn = int(sn / 2) }
    }
    if (!(pair in number)) { number[pair] = ++count; print "01" pair >pairs }
    printf "%s %.0f %.0f =%d", $1, int(fn / 2), int(sn / 2), number[pair]
    for (k = 6; k <= NF; k++) printf " %s", $k
    print ""
}
AWK
paste -d' ' "$temp/hashes" proof/paths.txt | awk -v last="$((size - 1))" \
    '$2 ~ /^[0-9]+$/ { $1 = $2 " " $2 " " last " " $1; $2 = ""; $0 = $0; $1 = $1; print }' >"$temp/ways"
: >"$temp/made"
while :; do
    : >"$temp/hex"
    awk -v sums="$temp/made" -v pairs="$temp/hex" -f "$temp/walk.awk" "$temp/made" "$temp/ways" >"$temp/further" ||
        unchecked "awk did not finish; is there room in $temp?"
    cat "$temp/further" >"$temp/ways" || unchecked "there is no room in $temp."
    [ -s "$temp/hex" ] || break
    xxd -r -p "$temp/hex" | (cd "$temp/pairs" && split -a 5 -b 65 -)
    hashes | sort -k 2 | cut -d' ' -f1 >"$temp/made"
    [ "$(grep -c '' "$temp/made")" -eq "$(grep -c '' "$temp/hex")" ] || unchecked "there is no room in $temp."
done
awk -v size="$size" -v root="$root" '$2 $3 "" == "00" && NF == 4 && $4 "" == root "" && $1 + 0 < size + 0 { print $1 }' "$temp/ways" |
    sort >"$temp/proved"
cut -d' ' -f1 "$temp/entries" | sort | comm -23 - "$temp/proved" | sort -n | while IFS= read -r index; do
    fail proof/leaves.jsonl "Entry $index does not lead to the checkpoint's root."
done

# 6. The log's first entry names the first key; each entry about a key names the one that follows, and both keys signed
# that it does; the last one signed what is here; the papers name any of them.
time='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z'
signature='[A-Za-z0-9+/]{86}=='
vkey() { # of a file: the key as C2SP writes it, name, hash, key
    openssl pkey -pubin -in "$1" -outform DER 2>/dev/null | tail -c 32 >"$temp/raw"
    printf '%s+%s+%s' "$origin" "$({ printf '%s\n\001' "$origin"; cat "$temp/raw"; } | sha256sum | cut -c1-8)" \
        "$({ printf '\001'; cat "$temp/raw"; } | openssl base64 -A)"
}
told() { printf '%s\n' "$line" | sed -n 's/.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p'; }
signed() { # key, field: whether the key signed the statement
    told "$2" | openssl base64 -d -A 2>/dev/null >"$temp/signature"
    [ "$(openssl base64 -A -in "$temp/signature")" = "$(told "$2")" ] &&
        openssl pkeyutl -verify -pubin -inkey "$1" -rawin -in "$temp/statement" -sigfile "$temp/signature" >/dev/null 2>&1
}
grep '"type":"key"' "$temp/entries" >"$temp/links"
links=$(grep -c . "$temp/links")
key_file() { if [ "$1" -lt "$links" ]; then echo "keys/log-$1.pub.pem"; else echo keys/log.pub.pem; fi; }
link() { # number: whether that key follows the one before
    old=$(key_file $(($1 - 1))) new=$(key_file "$1")
    printf '%s\n' "$line" | grep -qE "^$number [0-9a-f]{64} \{\"at\":\"$time\",\"elapsed_us\":[0-9]+,\"new\":\"[0-9a-f]{64}\",\"new_key\":\"[^\"\\\\]+\",\"new_signature\":\"$signature\",\"number\":$1,\"old\":\"[0-9a-f]{64}\",\"old_key\":\"[^\"\\\\]+\",\"old_signature\":\"$signature\",\"type\":\"key\",\"v\":1\}\$" || return 1
    [ "$(told old)" = "$(fingerprint "$old")" ] && [ "$(told new)" = "$(fingerprint "$new")" ] || return 1
    [ "$(told old_key)" = "$(vkey "$old")" ] && [ "$(told new_key)" = "$(vkey "$new")" ] || return 1
    printf 'This is no checkpoint: one key of a log follows another.\norigin %s\nnumber %s\nold %s\nnew %s\n' \
        "$origin" "$1" "$(told old)" "$(told new)" >"$temp/statement"
    signed "$old" old_signature && signed "$new" new_signature
}
at=0
founder=$(fingerprint "$(key_file 0)")
printf '%s\n' "$founder" >"$temp/keys"
while IFS= read -r line; do
    at=$((at + 1))
    name=$(key_file $((at - 1)))
    [ "$(told old)" = "$(fingerprint "$name")" ] || fail "$name" "It is not there, or not the key that the log had then."
    link "$at" || fail proof/leaves.jsonl "Key $at of the log does not follow the one before it, signed for by both."
    fingerprint "$(key_file "$at")" >>"$temp/keys"
done <"$temp/links"
for name in keys/log-*.pub.pem; do
    [ -f "$name" ] || continue
    at=${name#keys/log-}
    [ "${at%.pub.pem}" -lt "$links" ] || fail "$name" "No entry of the log tells of this key."
done
if [ -n "$papers" ]; then
    grep -qxF "$papers" "$temp/keys" || fail keys/log.pub.pem "The key's fingerprint is $founder: not that of the papers."
else
    echo "The key's fingerprint is $founder: compare it with the acceptance papers."
    sed -n '2,$s/.*/It was followed by &./p' "$temp/keys"
fi

# 7. Beats bind where the chain of every stream stood: the vectors are those that the beats hash.
cat >"$temp/vectors.awk" <<'AWK'
BEGIN {
    for (k = 0; k < 64; k++) hash = hash "[0-9a-f]"
    for (k = 0; k < 14; k++) digits = digits "[0-9]?"
    head = "\"[a-z0-9][a-z0-9_-]*[.][a-z]+\":\\[(0|[1-9]" digits "),\"" hash "\"\\]"
    form = "^[{](" head "(," head ")*)?[}]$"
}
function ascends(rest,    name, last) { # canonical: the names of streams, each greater than the one before
    while (match(rest, /"[^"]*":/)) {
        name = substr(rest, RSTART, RLENGTH)
        if (name "" <= last "") return 0
        last = name; rest = substr(rest, RSTART + RLENGTH)
    }
    return 1
}
FNR == 1 { at = FILENAME; gsub(/.*\/|\.json$/, "", at); if ($0 ~ form && ascends($0)) print at, $0 }
AWK
vectors() { find proof/heads -type f -name '*.json' "$@" 2>/dev/null; }
vectors -exec sha256sum {} + | sed 's|^\(.\{64\}\)  .*/\(.*\)\.json$|\2 \1|' | sort >"$temp/hashed"
sed -n 's/^\([0-9]*\) .*"heads":"\([0-9a-f]\{64\}\)".*"type":"beat","v":1}$/\1 \2/p' "$temp/entries" | sort >"$temp/beats"
comm -23 "$temp/hashed" "$temp/beats" | while read -r index _; do
    fail "proof/heads/$index.json" "It is not what the beat of entry $index binds."
done
vectors -exec awk -f "$temp/vectors.awk" {} + | sort -n >"$temp/heads"
[ -s "$temp/problems" ] || [ "$(grep -c '' "$temp/hashed")" -eq "$(vectors | grep -c '')" ] || unchecked "there is no room in $temp."
cut -d' ' -f1 "$temp/heads" | sort >"$temp/formed"
{ # no line break stands in one: only where there is any are they looked at one by one
    cut -d' ' -f1 "$temp/hashed" | comm -23 - "$temp/formed"
    [ -z "$(vectors -exec cat {} + | tr -cd '\n' | head -c 1 | xxd -p)" ] || vectors | while IFS= read -r name; do
        [ -z "$(tr -cd '\n' <"$name" | head -c 1 | xxd -p)" ] || basename "$name" .json
    done
} | sort -u | while read -r index; do
    fail "proof/heads/$index.json" "It is not a vector of heads, in the form that this log writes."
done

# 8. An authority outside says when the log had its first entries (RFC 3161): the text that it stamped is that of an older
# checkpoint, whose tree is a beginning of this one (RFC 6962, 2.1.2; RFC 9162, 2.1.4.2).
goes_on() { # root of the older tree, hashes on the way
    fn=$((older - 1)) sn=$((size - 1)) first=$1 second=$1
    if [ "$older" -eq "$size" ]; then
        [ $# -eq 1 ] && [ "$1" = "$root" ]
        return
    fi
    [ "$older" -gt 0 ] && [ "$older" -lt "$size" ] || return 1
    wanted=$1
    while [ $((fn % 2)) -eq 1 ]; do fn=$((fn / 2)) sn=$((sn / 2)); done
    if [ "$fn" -gt 0 ]; then
        shift
        [ $# -gt 0 ] || return 1
        first=$1 second=$1
    fi
    shift
    for step; do
        [ "$sn" -gt 0 ] || return 1
        if [ $((fn % 2)) -eq 1 ] || [ "$fn" -eq "$sn" ]; then
            node "$step" "$first"
            first=$made
            node "$step" "$second"
            second=$made
            while [ "$fn" -gt 0 ] && [ $((fn % 2)) -eq 0 ]; do fn=$((fn / 2)) sn=$((sn / 2)); done
        else
            node "$second" "$step"
            second=$made
        fi
        fn=$((fn / 2)) sn=$((sn / 2))
    done
    [ "$sn" -eq 0 ] && [ "$first" = "$wanted" ] && [ "$second" = "$root" ]
}

utc() { # seconds since 1970, as a date (proleptic Gregorian)
    awk -v t="$1" 'BEGIN {
        d = int(t / 86400); t -= d * 86400; d += 719468; e = int(d / 146097); d -= e * 146097
        y = int((d - int(d / 1460) + int(d / 36524) - int(d / 146096)) / 365); d -= 365 * y + int(y / 4) - int(y / 100)
        m = int((5 * d + 2) / 153); d -= int((153 * m + 2) / 5) - 1; m += (m < 10 ? 3 : -9)
        printf "%04d-%02d-%02d %02d:%02d:%02d UTC", y + 400 * e + (m <= 2), m, d, t / 3600, t % 3600 / 60, t % 60
    }'
}

stamped() { # file, its stamp: when it was given becomes $moment; certificates are judged as they were then
    # The token alone: what stands before it in an answer is not signed.
    openssl ts -reply -in "$2" -token_out -text >"$temp/token" 2>/dev/null
    moment=$(sed -n 's/^Time stamp: //p' "$temp/token" | head -n 1)
    epoch=$(printf '%s\n' "$moment" | awk '{ # Nov 26 11:30:00 2026 GMT
        y = $4; m = (index("JanFebMarAprMayJunJulAugSepOctNovDec", $1) + 2) / 3
        if (m <= 2) { y--; m += 12 }
        day = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) + $2 - 1 - 719468
        print day * 86400 + substr($3, 1, 2) * 3600 + substr($3, 4, 2) * 60 + substr($3, 7, 2)
    }')
    moment=$(utc "$epoch")
    grep -qx 'Hash Algorithm: sha256' "$temp/token" &&
        openssl ts -verify -data "$1" -in "$2" -CAfile "$roots" -attime "$epoch" >/dev/null 2>&1 && return
    fail "$2" "It is no stamp of $1 by an authority of $roots."
    return 1
}

: >"$temp/seen"
grep '"type":"anchor"' "$temp/entries" | grep '"kind":"rfc3161"' >"$temp/told"
sed -n 's/^\([0-9]*\) .*"size":\([0-9]*\),.*"token":"\([0-9a-f]\{64\}\)".*/\1 \2 \3/p' "$temp/told" >"$temp/stamps"
[ "$(grep -c '' "$temp/told")" -eq "$(grep -c '' "$temp/stamps")" ] ||
    fail proof/leaves.jsonl "An entry about a stamp cannot be read."
find proof/anchors -type f 2>/dev/null | sed 's|.*/||; s|\..*||' | sort -nu >"$temp/sizes"
while IFS= read -r older; do
    name=proof/anchors/$older
    told=$(sed -n 3p "$name.body" 2>/dev/null | openssl base64 -d -A 2>/dev/null | xxd -p -c 64)
    printf '%s\n%s\n%s\n' "$origin" "$older" "$(sed -n 3p "$name.body" 2>/dev/null)" | cmp -s - "$name.body" ||
        fail "$name.body" "It is not a checkpoint of this log, of that size."
    # shellcheck disable=SC2046 # the hashes on the way are words
    [ "$(sed -n 1p "$name.path" 2>/dev/null)" = "$older $size" ] && [ "$(tail -c 1 "$name.path" | xxd -p)" = 0a ] &&
        ! sed 1d "$name.path" | grep -qvE '^[0-9a-f]{64}$' && goes_on "$told" $(sed 1d "$name.path") ||
        fail "$name.path" "The older checkpoint is no beginning of this log."
    set -- "$name".*.note
    [ -e "$name.tsr" ] || [ ! -e "$1" ] || continue
    stamped "$name.body" "$name.tsr" || continue
    bound=$(awk -v size="$older" '$2 == size { print $1, $3; exit }' "$temp/stamps")
    awk -v size="$older" '$2 == size { print $3 }' "$temp/stamps" | grep -qvx "$(sha256sum <"$name.tsr" | cut -c1-64)" &&
        fail "$name.tsr" "It is not the stamp of which the log says that it was kept."
    printf '%s %s %s\n' "$older" "${bound%% *}" "$moment" >>"$temp/seen"
done <"$temp/sizes"
while read -r _ older _; do
    grep -q "^$older " "$temp/seen" || fail "proof/anchors/$older.tsr" "The log tells of this stamp, and it is not there, or not good."
done <"$temp/stamps"

# 9. A witness outside says when it saw such an older checkpoint, and that it had seen none that contradicts it (C2SP
# tlog-cosignature). The entry that binds what it said tells its key.
is_witness() { # $vkey: name, hash of name and key, key (C2SP signed-note)
    [ "${#vkey}" -le 1000 ] && printf '%s\n' "$vkey" | grep -qE '^[]!#-*,-[^-~]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$' || return 1
    printf %s "${rest#*+}" | openssl base64 -d -A >"$temp/marked" 2>/dev/null
    [ "$(xxd -p -l 1 "$temp/marked")" = 04 ] &&
        [ "$({ printf '%s\n' "${vkey%%+*}"; cat "$temp/marked"; } | sha256sum | cut -c1-8)" = "$mark" ]
}
cosigned() { # the note of $older with a line of $vkey: when it was given goes to $temp/times
    : >"$temp/times"
    [ "$(sha256sum <"$note" | cut -c1-64)" = "$token" ] && [ -z "$(tail -c +65537 "$note" | head -c 1 | xxd -p)" ] || return 1
    sed '/^$/,$d' "$note" | cmp -s - "proof/anchors/$older.body" && [ "$(tail -c 1 "$note" | xxd -p)" = 0a ] || return 1
    sed '1,/^$/d' "$note" >"$temp/lines"
    grep -qvE "$note_line" "$temp/lines" && return 1
    { printf 302a300506032b6570032100 | xxd -r -p; tail -c 32 "$temp/marked"; } >"$temp/witness.der"
    awk -v name="${vkey%%+*}" '$2 "" == name "" { print $3 }' "$temp/lines" | while read -r line; do
        printf %s "$line" | openssl base64 -d -A >"$temp/line" 2>/dev/null
        [ "$(xxd -p -l 4 "$temp/line")" = "$mark" ] || continue
        case $(xxd -p -s 75 -l 2 "$temp/line") in ??) ;; *) echo bad >>"$temp/times"; continue ;; esac # 76 bytes
        when=$((0x$(xxd -p -s 4 -l 8 "$temp/line")))
        { printf 'cosignature/v1\ntime %s\n' "$when"; cat "proof/anchors/$older.body"; } >"$temp/said"
        tail -c +13 "$temp/line" >"$temp/signature"
        [ "$when" -gt 0 ] && [ "$when" -le 253402300799 ] && openssl pkeyutl -verify -pubin -keyform DER \
            -inkey "$temp/witness.der" -rawin -in "$temp/said" -sigfile "$temp/signature" >/dev/null 2>&1 || when=bad
        echo "$when" >>"$temp/times"
    done
    [ -s "$temp/times" ] && ! grep -qx bad "$temp/times"
}
: >"$temp/cosigned"
: >"$temp/notes"
grep '"type":"anchor"' "$temp/entries" | grep '"kind":"witness"' >"$temp/told"
sed -n 's/^\([0-9]*\) .*"size":\([0-9]*\),.*"token":"\([0-9a-f]\{64\}\)".*"witness":"\([^"]*\)"[,}].*$/\1 \2 \3 \4/p' "$temp/told" >"$temp/bound"
[ "$(grep -c '' "$temp/told")" -eq "$(grep -c '' "$temp/bound")" ] ||
    fail proof/leaves.jsonl "An entry about a cosignature cannot be read."
while read -r index older token vkey; do
    rest=${vkey#*+} mark=${vkey#*+}
    mark=${mark%%+*}
    is_witness || { fail proof/leaves.jsonl "Entry $index cannot be read (no key of a witness)."; continue; }
    note=proof/anchors/$older.$mark.note
    echo "$note" >>"$temp/notes"
    if [ -f "$note" ] && cosigned; then
        echo "$older $index $(sort -n "$temp/times" | tail -n 1) $vkey" >>"$temp/cosigned"
    else
        fail "$note" "The log tells of this cosignature, and it is not there, or not good."
    fi
done <"$temp/bound"
find proof/anchors -type f -name '*.note' 2>/dev/null | grep -vxFf "$temp/notes" | while IFS= read -r name; do
    fail "$name" "No entry of the log tells of this cosignature."
done
last_beat=$(sort -n "$temp/heads" | tail -n 1 | cut -d' ' -f1)
first_item=$(grep -E '"type":"(seg|gap)"' "$temp/entries" | sort -n | head -n 1 | cut -d' ' -f1)
last_discard=$(grep '"type":"del"' "$temp/entries" | sort -n | tail -n 1 | cut -d' ' -f1)
last_of_all=${last_beat:-0}
[ "${last_discard:-0}" -le "$last_of_all" ] || last_of_all=$last_discard
recorded=$(awk -v last="${last_beat:-0}" '$1 > last { sub(/^[0-9]+ [0-9]* ?/, ""); print; exit }' "$temp/seen")
whole=$(awk -v last="$last_of_all" '$1 > last { sub(/^[0-9]+ [0-9]* ?/, ""); print; exit }' "$temp/seen")
before=$(awk -v first="${first_item:-0}" '$2 ~ /^[0-9]+$/ && $2 < first { sub(/^[0-9]+ [0-9]* ?/, ""); said = $0 } END { print said }' "$temp/seen")

# 10. What the media files hash to, by stream and number.
grep -E "  media/$stream_name/$number-" SHA256SUMS | sed 's/^\(.\{64\}\)  /\1 /' >"$temp/media"

# 11. What the package says of itself: canonical JSON of known fields, or nothing is believed.
grep -qE "^\{\"box\":\"[0-9a-f]+\",\"case\":\"([^\"\\\\]|\\\\[\"\\\\bfnrt]|\\\\u00[01][0-9a-f])*\",\"end\":\"$time\",\"fingerprint\":\"[0-9a-f]{64}\",\"floor_days\":(0|[1-9][0-9]{0,4}),\"format\":1,\"made\":\"$time\",\"origin\":\"[^\"\\\\]+\",\"program\":\"[^\"\\\\]+\",\"stamped\":(true|false),\"start\":\"$time\",\"stream\":\"$stream_name\",\"time_zone\":\"[A-Za-z0-9_+/-]+\"\}\$" claim.json &&
    [ "$(grep -c '' claim.json)" -eq 1 ] && [ "$(tr -cd '\001-\037' <claim.json | xxd -p)" = 0a ] || {
    fail claim.json "What the package says of itself cannot be read."
    echo "NOT GOOD. 未通过校验"
    exit 1
}
claim() { sed -n 's/.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p' claim.json; }
[ "$(claim fingerprint)" = "$found" ] || fail claim.json "It names another key than keys/log.pub.pem."
[ "$(claim origin)" = "$origin" ] || fail claim.json "It names another log than proof/checkpoint."

handed=
if [ "$(claim stamped)" = true ]; then
    stamped SHA256SUMS SHA256SUMS.tsr && handed=$moment
elif [ -e SHA256SUMS.tsr ]; then
    fail SHA256SUMS.tsr "The package does not tell of it."
fi

# 12. The chain between two beats, the media, the discards and the tables: every instant accounted for.
cat >"$temp/judge.awk" <<'AWK'
function text(name) { # of the entry, as JSON writes it
    if (!match(entry, "\"" name "\":\"([^\"\\\\]|\\\\.)*\"")) return ""
    return substr(entry, RSTART + length(name) + 4, RLENGTH - length(name) - 5)
}
function number(name) {
    if (!match(entry, "\"" name "\":-?[0-9]+")) return ""
    return substr(entry, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
}
function odd(rest,    between, token, depth, name, outer) { # whether a field could be taken for another of that name
    while (match(rest, /"([^"\\]|\\.)*"/)) {
        between = substr(rest, 1, RSTART - 1); token = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        depth += gsub(/\{/, "", between) - gsub(/\}/, "", between)
        if (substr(rest, 1, 1) != ":") continue
        if (depth != 1) { if (depth != 2 || outer != "\"audio\"") return 1 }
        else {
            if (token !~ /^"[a-z0-9_]+"$/ || token <= outer || (token == "\"audio\"" && rest ~ /^:\[/)) return 1
            outer = token
        }
    }
    return 0
}
function must(name, pattern) { if (entry !~ ("[{,]\"" name "\":" pattern "[,}]")) wrong_form = name }
function may(name, pattern) { if (index(entry, "\"" name "\":")) must(name, pattern) }
function count_of(name, digits) { must(name, "(0|[1-9][0-9]*)"); if (length(number(name)) > digits) wrong_form = name }
function rule_days_of(name) {
    count_of(name, 5); if (number(name) + 0 < 1 || number(name) + 0 > 73000) wrong_form = name
}
function moment(name,    t) {
    must(name, "\"" time "\""); t = text(name)
    if (!is_time(t)) wrong_form = name
}
function form(    hash, hashes, number_, camera_, stream_) { # an entry has the fields that it is judged by, of their kinds
    wrong_form = ""
    hash = "\"" sixtyfour "\""; number_ = "(0|[1-9][0-9]*)"; camera_ = "[a-z0-9][a-z0-9_-]*"
    stream_ = "\"" camera_ "\\.[a-z]+\""
    must("v", "1"); moment("at"); count_of("elapsed_us", 15)
    hashes = "\\[" hash "(," hash ")*\\]"
    if (type == "genesis") {
        must("box", string); must("key", hash); must("origin", string); may("release_codes", hashes)
    }
    if (type == "camera") { must("camera", "\"" camera_ "\""); must("op", "\"[a-z0-9_]+\"") }
    if (type == "camera" && text("op") == "rule") { rule_days_of("floor_days"); rule_days_of("target_days") }
    if (type == "seg" || type == "gap") {
        must("stream", stream_); count_of("n", 15); must("prev", hash); moment("t0"); moment("t1")
    }
    if (type == "seg") {
        must("sha256", hash); count_of("run", 15); count_of("init_bytes", 15); count_of("bytes", 15)
        count_of("frames", 15); must("codec", "\"[a-z0-9_]+\""); may("sm3", hash)
        may("clock_offset_us", "(null|-?" number_ ")"); may("clock_drift_ppb", "-?" number_)
    }
    if (type == "gap") {
        must("cause", "\"(unreachable|auth_refused|no_media|stalled|stream_invalid|timestamp_jump|overload|storage_full|storage_error|box_down|clock_step|operator|scheduled|retired)\"")
        must("detail", string)
        if (index(entry, "\"sha256\":") || index(entry, "\"sm3\":")) wrong_form = "sha256"
    }
    if (type == "del") {
        must("stream", stream_); count_of("n0", 15); count_of("n1", 15); count_of("floor_days", 5)
        must("holds", hash); must("rule", string); may("rules", hash)
    }
    if (type == "breach") {
        must("stream", stream_); count_of("n0", 15); count_of("n1", 15); count_of("floor_days", 5)
        moment("until"); count_of("short_us", 15); count_of("wish", 15)
    }
    if (type == "hold") {
        count_of("hold", 15); must("cameras", "\\[\"" camera_ "\"(,\"" camera_ "\")*\\]"); moment("t0"); moment("t1")
        must("record", hash); may("basis", "\"[a-z0-9_]+\"")
        if (index(entry, "\"asked_t0\":")) moment("asked_t0")
        if (index(entry, "\"asked_t1\":")) moment("asked_t1")
        if (index(entry, "\"review\":")) moment("review")
        if (index(entry, "\"padding_before_s\":")) count_of("padding_before_s", 15)
        if (index(entry, "\"padding_after_s\":")) count_of("padding_after_s", 15)
    }
    if (type == "release") { count_of("hold", 15); may("by", hashes) }
    if (type == "view" || type == "export") must("stream", stream_)
    if (type == "beat") { must("heads", hash); may("holds", hash); may("sm2", hash) }
    if (type == "anchor") { must("kind", "\"[a-z0-9_]+\""); count_of("size", 15); must("token", hash) }
    return wrong_form
}
function is_utf8(s,    k, c, left, low, high) { # RFC 3629
    for (k = 1; k <= length(s); k++) {
        c = code[substr(s, k, 1)]
        if (left) {
            if (c < low || c > high) return 0
            left--; low = 128; high = 191
        } else if (c >= 128) {
            low = 128; high = 191
            if (c >= 194 && c <= 223) left = 1
            else if (c >= 224 && c <= 239) { left = 2; if (c == 224) low = 160; if (c == 237) high = 159 }
            else if (c >= 240 && c <= 244) { left = 3; if (c == 240) low = 144; if (c == 244) high = 143 }
            else return 0
        }
    }
    return !left
}
function quoted(raw) { gsub(/\\"/, "\"\"", raw); return "\"" raw "\"" }
function fail(file, what) { printf "FAIL %s: %s\n", file, what; bad = 1 }
function days(y, m, d) { # since 1970-01-01, proleptic Gregorian
    if (m <= 2) { y--; m += 12 }
    return 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) + d - 1 - 719468
}
function us(t) { # 2026-11-24T08:00:00.000000Z
    return days(substr(t, 1, 4) + 0, substr(t, 6, 2) + 0, substr(t, 9, 2) + 0) * 86400000000 + \
        (substr(t, 12, 2) * 3600 + substr(t, 15, 2) * 60 + substr(t, 18, 2)) * 1000000 + substr(t, 21, 6)
}
function ahead(    found) { # how far local time was ahead of UTC, in seconds, as the entry has it; empty: it does not say
    if (!index(entry, "\"utc_offset_s\":")) return ""
    found = number("utc_offset_s")
    if (entry !~ /"utc_offset_s":-?(0|[1-9][0-9]*)[,}]/ || found + 0 > 50400 || found + 0 < -50400) {
        fail("proof/leaves.jsonl", "Entry " $1 " cannot be read (no offset from UTC).")
        return ""
    }
    return found + 0
}
function midnight(t1, kept, offset) {
    offset *= 1000000
    return (int((t1 - 1 + offset) / 86400000000) + kept + 1) * 86400000000 - offset
}
function ruled(i, k,    j, earlier, most) { # for how long it had to be kept: by the rule of then, and all up to its discard
    for (j = 1; j <= rules; j++) if (rule_at[j] < receipt[k] && rule_at[j] < entry_at[i]) earlier = j
    for (j = (earlier ? earlier : 1); j <= rules; j++) if (rule_at[j] < receipt[k] && rule_days[j] > most) most = rule_days[j]
    return most + 0
}
# 00:00 behind so many whole days; the first is not counted (Civil Code, article 201). By local time when it was recorded,
# and when it was discarded, whichever is later. What says nothing of it was recorded at UTC+8, or before entries told it;
# then, as where nothing is known, the strictest of all zones counts. Entries tell the offset, so that no list of zones is
# needed here, which not every machine has.
function earliest(i, k,    kept, known, one, two) {
    kept = days_then[k]
    if (kept < floor) kept = floor
    if (kept < ruled(i, k)) kept = ruled(i, k)
    if (ahead_then[k] == "") known = (ahead_of[i] == "" && zone == "Asia/Shanghai")
    else known = (ahead_of[i] != "" || ahead_then[k] == 28800)
    if (!known) return t1[i] + (kept + 1) * 86400000000
    one = midnight(t1[i], kept, ahead_of[i] == "" ? 28800 : ahead_of[i])
    two = midnight(t1[i], kept, ahead_then[k] == "" ? 28800 : ahead_then[k])
    return one > two ? one : two
}
function is_time(t,    y, m, d) { # whether there is such a day, and such a time of it
    y = substr(t, 1, 4) + 0; m = substr(t, 6, 2) + 0; d = substr(t, 9, 2) + 0
    if (y < 1 || m < 1 || m > 12 || d < 1 || substr(t, 12, 2) > 23 || substr(t, 15, 2) > 59 || substr(t, 18, 2) > 59) return 0
    return d <= substr("312831303130313130313031", 2 * m - 1, 2) + (m == 2 && (y % 4 == 0 && y % 100 != 0 || y % 400 == 0))
}
function compact(t) { # 20261124T080000.000Z
    return substr(t, 1, 4) substr(t, 6, 2) substr(t, 9, 5) substr(t, 15, 2) substr(t, 18, 2) "." substr(t, 21, 3) "Z"
}
function in_force(h, k) { return was_held(h, receipt[k]) }
function was_held(h, then) { return placed[h] < then && (!(h in released) || released[h] > then) }
function list_holds(then, wanted,    list, j) { # which holds were in force then is bound by a hash over them
    list = temp "/holds." (++lists)
    printf "" >list
    for (j = 1; j <= holds; j++) if (was_held(held[j], then)) printf "%.0f %s\n", held[j], record[held[j]] >list
    close(list)
    print wanted, list >(temp "/holds")
}
function list_rules(then, wanted,    list, j) { # likewise by which rules footage of the camera was kept
    list = temp "/rules." (++lists)
    printf "" >list
    for (j = 1; j <= rules; j++) if (rule_at[j] < then) printf "%.0f %d\n", rule_at[j], rule_days[j] >list
    close(list)
    print wanted, list >(temp "/rules")
}
function admitted(i, k,    j) { # whether an entry says, before that discard, that it breaks the floor of that item
    for (j = 1; j <= breaches; j++)
        if (breach[j] < receipt[k] && breach_from[j] <= n[i] && n[i] <= breach_to[j]) return 1
    return 0
}
# What is held against every discard of it; empty: one was lawful, or broke the floor and the log admits it (`breached`).
function objection(i,    k, h, age, early, said, why) {
    why = "Its file is not there, and no entry says that it was discarded."
    breached = said = 0
    for (k = 1; k <= receipts; k++) {
        if (n[i] < from[k] || n[i] > to[k]) continue
        age = boxwhen[k] - boxtime[i]
        if (t1[i] > when[k]) age -= 93600000000 # of what by the wall is still to come box time counts alone, less a day and two hours
        else if (when[k] - t1[i] < age) age = when[k] - t1[i]
        early = (t1[i] + age < earliest(i, k))
        if (early && !admitted(i, k)) { why = "It was discarded before its time."; continue }
        for (h in placed) if (on_camera[h] && in_force(h, k) && begins[h] < t1[i] && t0[i] < ends[h]) break
        if (h in placed && on_camera[h] && in_force(h, k) && begins[h] < t1[i] && t0[i] < ends[h]) {
            why = "It was discarded while a hold lay on it."; continue
        }
        if (early) { said = 1; continue }
        return ""
    }
    breached = said
    return said ? "" : why
}
BEGIN {
    for (k = 1; k < 256; k++) code[sprintf("%c", k)] = k
    time = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9][.][0-9][0-9][0-9][0-9][0-9][0-9]Z"
    string = "\"([^\"\\\\]|\\\\.)*\""
    sixtyfour = "[0-9a-f]"
    for (k = 0; k < 6; k++) sixtyfour = sixtyfour sixtyfour
    while ((getline line <"claim.json") > 0) if (!is_utf8(line)) fail("claim.json", "It is not UTF-8.")
    if (!is_time(start_text) || !is_time(end_text) || !is_time(made_text)) fail("claim.json", "There is no such time.")
    start = us(start_text); end = us(end_text); made = us(made_text)
    printf "" >(temp "/custody.jsonl"); printf "" >(temp "/holds"); printf "" >(temp "/rules")
    camera = stream; sub(/\.[^.]*$/, "", camera)
    printf "" >(temp "/sm2.named"); printf "" >(temp "/sm3"); sm2_last = "-"
    print "entry,kind,item,start,end,cause,detail,sha256" >(temp "/timeline.csv")
    print "item,start,camera_clock_ahead_us,camera_clock_drift_ppb,written_down,box_time_us" >(temp "/clock.csv")
}
{
    entry = substr($0, length($1) + length($2) + 3)
    if (odd(entry)) fail("proof/leaves.jsonl", "Entry " $1 " cannot be read (fields in fields, twice, or out of order).")
    sub(/"audio":\{([^"{}\[]|"([^"\\]|\\.)*")*\},?/, "", entry) # it has fields of the same names
    type = text("type")
    if (!is_utf8(entry)) fail("proof/leaves.jsonl", "Entry " $1 " cannot be read (not UTF-8).")
    if (index(entry, "\"audio\":")) fail("proof/leaves.jsonl", "Entry " $1 " cannot be read (fields in fields).")
    if (form() != "") fail("proof/leaves.jsonl", "Entry " $1 " cannot be read (" wrong_form " is not of its kind).")
    if (type == "beat" && index(entry, "\"holds\":")) { beats++; beat_at[beats] = $1 + 0; beat_holds[beats] = text("holds") }
    if ($1 == 0 && (type != "genesis" || text("key") != fingerprint || text("origin") != origin)) wrong = 1
    if ($1 == 0) { began = 1; if (text("box") != box) fail("claim.json", "It names another box than the log.") }
    if ((type == "seg" || type == "gap" || type == "del" || type == "breach" || type == "export" || type == "view") && \
        text("stream") != stream) foreign = 1
    if (type == "export" || type == "view") print entry >(temp "/custody.jsonl")
    if (type == "sm2") { sm2_bound++; sm2_public = text("public") }
    if (type == "beat" && index(entry, "\"sm2\":")) print text("sm2") >(temp "/sm2.named")
    if (type == "beat" && $1 == tree - 1) sm2_last = (index(entry, "\"sm2\":") ? "named" : "none")
    if (type == "camera" && text("op") == "registered" && text("camera") == camera) registration = $2
    if (type == "camera" && text("op") == "rule" && text("camera") == camera) {
        rules++; rule_at[rules] = $1 + 0; rule_days[rules] = number("floor_days") + 0
    }
    if (type == "seg" || type == "gap") {
        print $1 "," (type == "seg" ? "segment" : "gap") "," number("n") "," text("t0") "," text("t1") "," \
            text("cause") "," quoted(text("detail")) "," text("sha256") >(temp "/timeline.csv")
        if (type == "seg") print number("n") "," text("t0") "," number("clock_offset_us") "," \
            number("clock_drift_ppb") "," text("at") "," number("elapsed_us") >(temp "/clock.csv")
        if (text("stream") == stream) {
            i = $2
            n[i] = number("n") + 0; prev[i] = text("prev"); t0[i] = us(text("t0")); t1[i] = us(text("t1"))
            sha[i] = text("sha256"); sm3[i] = text("sm3"); boxtime[i] = number("elapsed_us") + 0; kind[i] = type
            file[number("n")] = i
            order[++count] = n[i] # numbers rise with the log; they may be anything, so nobody counts up to them
            ahead_of[i] = ahead(); entry_at[i] = $1 + 0
            codec[i] = text("codec"); size[i] = number("bytes"); from_text[i] = text("t0"); to_text[i] = text("t1")
            run[i] = number("run"); init[i] = number("init_bytes"); frames[i] = number("frames")
        }
    }
    if (type == "breach") {
        print $1 ",breach," number("n0") "-" number("n1") "," text("at") "," text("until") ",,\"\"," >(temp "/timeline.csv")
        if (text("stream") == stream) {
            breaches++
            breach[breaches] = $1 + 0; breach_from[breaches] = number("n0") + 0; breach_to[breaches] = number("n1") + 0
        }
    }
    if (type == "del") {
        print $1 ",discard," number("n0") "-" number("n1") "," text("at") ",,," quoted(text("rule")) "," \
            >(temp "/timeline.csv")
        if (text("stream") == stream) {
            receipts++
            receipt[receipts] = $1 + 0; from[receipts] = number("n0") + 0; to[receipts] = number("n1") + 0
            when[receipts] = us(text("at")); boxwhen[receipts] = number("elapsed_us") + 0
            days_then[receipts] = number("floor_days") + 0; holds_then[receipts] = text("holds")
            rules_then[receipts] = text("rules")
            ahead_then[receipts] = ahead()
        }
    }
    if (type == "hold") {
        h = number("hold") + 0; placed[h] = $1 + 0; begins[h] = us(text("t0")); ends[h] = us(text("t1"))
        record[h] = text("record")
        held[++holds] = h
        if (match(entry, /"cameras":\[[^]]*\]/)) on_camera[h] = index(substr(entry, RSTART, RLENGTH), "\"" camera "\"")
    }
    if (type == "release") released[number("hold") + 0] = $1 + 0
}
END {
    close(temp "/timeline.csv"); close(temp "/clock.csv"); close(temp "/custody.jsonl")
    if (foreign) fail("proof/leaves.jsonl", "There are entries of another stream.")
    for (k = 1; k <= receipts; k++) {
        list_holds(receipt[k], holds_then[k])
        if (rules_then[k] != "") list_rules(receipt[k], rules_then[k])
    }
    for (k = 1; k <= beats; k++) list_holds(beat_at[k], beat_holds[k]) # who leaves one out must have lied in every beat since
    close(temp "/holds"); close(temp "/rules")
    if (wrong || !began) fail("proof/leaves.jsonl", "The log does not begin with this key and name: it is another box's.")
    while ((getline line <(temp "/media")) > 0) {
        hash = substr(line, 1, 64); name = substr(line, 66)
        parts = split(name, part, "/"); item = part[3]; sub(/-.*/, "", item)
        if (part[2] != stream || !(item in file) || kind[file[item]] != "seg" || \
            part[3] != item "-" compact(from_text[file[item]]) ".mp4") {
            fail(name, "No entry of the log tells of this file, by its stream, number and time.")
            continue
        } else if (sha[file[item]] != hash) { fail(name, "It is not what was recorded: its hash is not the one in the log."); there[file[item]] = -1 }
        else there[file[item]] = 1
        if (item in file) path[item + 0] = name
    }
    for (o = 1; o <= count; o++) { k = order[o]; if (k in path) print run[file[k]], init[file[k]], frames[file[k]], path[k] >(temp "/films") }
    close(temp "/films")
    for (o = 1; o <= count; o++) { k = order[o]; if (k in path && sm3[file[k]] != "") { has_sm3 = 1; print sm3[file[k]], path[k] >(temp "/sm3") } }
    print "number,file,category,format,bytes,sha256,camera,start,end" (has_sm3 ? ",sm3" : "") >(temp "/files.csv")
    rows = 0
    for (o = 1; o <= count; o++) if ((k = order[o]) in path) {
        i = file[k]; rows++
        print rows "," path[k] ",original 原始录像,mp4 " codec[i] "," size[i] "," sha[i] "," camera "," from_text[i] "," \
            to_text[i] (has_sm3 ? "," sm3[i] : "") >(temp "/files.csv")
    }
    close(temp "/files.csv")
    close(temp "/sm2.named"); close(temp "/sm3")
    print sm2_bound + 0, sm2_last, sm2_public >(temp "/sm2")
    print "-----BEGIN PUBLIC KEY-----" >(temp "/sm2.pem")
    for (k = 1; k <= length(sm2_public); k += 64) print substr(sm2_public, k, 64) >(temp "/sm2.pem")
    print "-----END PUBLIC KEY-----" >(temp "/sm2.pem")
    close(temp "/sm2"); close(temp "/sm2.pem")
    ties = 0
    while ((getline line <(temp "/heads")) > 0) {
        ties++
        tie[ties] = -1; tiehash[ties] = registration
        at = index(line, "\"" stream "\":[")
        if (at) {
            line = substr(line, at + length(stream) + 4)
            tie[ties] = line + 0
            match(line, /"[0-9a-f]*"/); tiehash[ties] = substr(line, RSTART + 1, RLENGTH - 2)
        }
    }
    if (ties < 2) fail("proof/heads", "There are not two beats that bind the interval.")
    for (k = 2; k <= ties; k++) {
        at = tie[k]; hash = tiehash[k]
        if (at < tie[k - 1]) fail("proof/heads", "A later beat knows fewer items than an earlier one: there were two records.")
        while (at > tie[k - 1]) {
            if (!(hash in n) || n[hash] != at) { fail("proof/leaves.jsonl", "Item " at ", which what follows points back to, is not there."); break }
            chain[at] = hash; at--; hash = prev[hash]
        }
        if (at == tie[k - 1] && hash != tiehash[k - 1]) fail("proof/leaves.jsonl", "Item " at + 1 " does not follow the item that the beat before it binds.")
    }
    for (i in n) if (chain[n[i]] != i) fail("proof/leaves.jsonl", "Item " n[i] " is not on the chain that the beats bind.")
    if (start >= end) fail("claim.json", "The interval that it names has no length.")
    if (made < end) fail("claim.json", "The interval that it names was still to come when it was made.")
    for (o = 1; o <= count; o++) {
        k = order[o]
        if (!(k in chain) || k <= tie[1] || k > tie[ties]) continue
        i = chain[k]
        if ((k - 1) in chain && t0[i] != t1[chain[k - 1]]) fail("proof/leaves.jsonl", "Item " k " does not start where the one before ended.")
        if (first == "") first = t0[i]
        last = t1[i]
        if (t0[i] < end && t1[i] > start) {
            if (kind[i] == "gap") print "gap  item " k
            else if (!there[i] && (why = objection(i)) != "") fail("media/" stream "/" k, why)
            else print (there[i] ? "file " : breached ? "early" : "gone ") " item " k
        }
    }
    if (first == "" || first > start || last < end) fail("claim.json", "The entries do not account for the whole interval that it names.")
    print "end"
    exit bad
}
AWK
sort -n "$temp/entries" >"$temp/sorted" || unchecked "there is no room in $temp."
stream=$(claim stream) floor=$(claim floor_days)
case $floor in '' | *[!0-9]*) floor=30 ;; esac
[ "$floor" -ge 30 ] || floor=30 # order 168, article 28
awk -v stream="$stream" -v start_text="$(claim start)" -v end_text="$(claim end)" -v made_text="$(claim made)" \
    -v origin="$origin" -v fingerprint="$founder" -v box="$(claim box)" -v temp="$temp" -v floor="$floor" \
    -v zone="$(claim time_zone)" -v tree="$size" -f "$temp/judge.awk" "$temp/sorted" >"$temp/judged"
while read -r wanted list; do
    [ "$(sha256sum <"$list" | cut -c1-64)" = "$wanted" ] ||
        fail proof/leaves.jsonl "Not all holds that were in force at a discard, or at a beat, are handed over."
done <"$temp/holds"
while read -r wanted list; do
    [ "$(sha256sum <"$list" | cut -c1-64)" = "$wanted" ] ||
        fail proof/leaves.jsonl "Not all rules that were in force at a discard are handed over."
done <"$temp/rules"
[ "$(tail -n 1 "$temp/judged")" = end ] || unchecked "awk did not finish; is there room in $temp?"
sed -n 's/^FAIL //p' "$temp/judged" | while IFS= read -r line; do fail "${line%%: *}" "${line#*: }"; done
# 13. The films are the originals of a run, one behind the other: the first whole, of the others what lies behind the
# beginning that they share.
: >>"$temp/films"
cut -d' ' -f1 "$temp/films" | sort -nu | while IFS= read -r run; do
    name="media/$stream/play-$run.mp4"
    echo "$name" >>"$temp/expected"
    first=1
    grep "^$run " "$temp/films" | while read -r _ init _ original; do
        if [ "$first" -eq 1 ]; then cat "$original"; else tail -c "+$((init + 1))" "$original"; fi
        first=0
    done | cmp -s - "$name" || fail "$name" "It is not made of the originals."
    command -v ffprobe >/dev/null 2>&1 || continue
    counted=$(ffprobe -v error -count_packets -select_streams v:0 -show_entries stream=nb_read_packets -of csv=p=0 \
        "$name" 2>/dev/null | tr -dc 0-9)
    [ "$counted" = "$(grep "^$run " "$temp/films" | awk '{ sum += $3 } END { print sum }')" ] ||
        fail "$name" "It does not have as many pictures as the entries say."
done
command -v ffprobe >/dev/null 2>&1 || echo "There is no ffprobe here: pictures were not counted."
: >>"$temp/expected"
find media -type f -name 'play-*' 2>/dev/null | grep -vxFf "$temp/expected" | while IFS= read -r name; do
    fail "$name" "No entry of the log tells of this film."
done

# 14. Commercial cryptography, where the recorder used it: SM3 of the media (GB/T 32905), and a second signature of the
# checkpoint, SM2 with SM3 (GB/T 32918). Of entries and checkpoint it is seen here whether both must be there.
if openssl ecparam -name SM2 -noout >/dev/null 2>&1 && openssl dgst -sm3 </dev/null >/dev/null 2>&1; then knows_sm=1; else knows_sm=0; fi
bound=0 last=- public=
read -r bound last public <"$temp/sm2"
if [ "$bound" -ne 0 ] || [ -s "$temp/sm2.named" ] || [ -e keys/log.sm2.pub.pem ]; then
    printf %s "$public" | openssl base64 -d -A >"$temp/sm2.der" 2>/dev/null
    mark=$(sha256sum <"$temp/sm2.der" | cut -c1-64)
    [ "$bound" -eq 1 ] || fail proof/leaves.jsonl "The log binds no SM2 key, or more than one."
    cmp -s "$temp/sm2.pem" keys/log.sm2.pub.pem || fail keys/log.sm2.pub.pem "It is not the SM2 key that the log binds."
    grep -qvx "$mark" "$temp/sm2.named" && fail proof/leaves.jsonl "A beat names another SM2 key than the log binds."
    [ "$last" != - ] || fail proof/leaves.jsonl "The beat that closes the checkpoint, and tells of SM2, is not handed over."
    id=$({ printf '%s\n\377custos/sm2-with-sm3' "$origin"; cat "$temp/sm2.der"; } | sha256sum | cut -c1-8)
    : >"$temp/sm2.lines"
    sed -n '/^$/,$p' proof/checkpoint | awk -v origin="$origin" '$2 == origin { print $3 }' | while read -r line; do
        printf %s "$line" | openssl base64 -d -A >"$temp/line" 2>/dev/null
        [ "$(xxd -p -l 4 "$temp/line")" = "$id" ] || continue
        echo "$line" >>"$temp/sm2.lines"
        tail -c +5 "$temp/line" >"$temp/sm2.signature"
        [ "$knows_sm" -eq 0 ] || openssl pkeyutl -verify -pubin -inkey "$temp/sm2.pem" -rawin -digest sm3 -in "$temp/body" \
            -sigfile "$temp/sm2.signature" -pkeyopt distid:1234567812345678 >/dev/null 2>&1 ||
            fail proof/checkpoint "Its SM2 signature is not by the key that the log binds."
    done
    [ "$last" != named ] || [ -s "$temp/sm2.lines" ] ||
        fail proof/checkpoint "It has no SM2 signature, and the log says that it has."
    [ "$knows_sm" -eq 1 ] || echo "The openssl here does not know SM2: the second signature was not checked. 未校验 SM2 签名"
fi
while read -r hash name; do
    [ "$knows_sm" -eq 0 ] || [ "$(openssl dgst -sm3 -r "$name" | cut -c1-64)" = "$hash" ] ||
        fail "$name" "Its SM3 hash is not the one in the log."
done <"$temp/sm3"
[ "$knows_sm" -eq 1 ] || [ ! -s "$temp/sm3" ] ||
    echo "The openssl here does not know SM3: the SM3 of the media was not checked. 未校验 SM3"

for name in timeline.csv clock.csv files.csv custody.jsonl; do
    cmp -s "$temp/$name" "$name" || fail "$name" "It is not what the entries of the log say."
done

cat verify.sh 2>/dev/null >"$temp/room"
cmp -s verify.sh "$temp/room" || unchecked "there is no room in $temp." # else something that was found may be missing
if [ -s "$temp/problems" ]; then
    echo "NOT GOOD, problems: $(grep -c . "$temp/problems"). 未通过校验"
    exit 1
fi
[ -z "$handed" ] || echo "By the authority's clock, this package was made before $handed. 证据包此时已存在"
# An anchor speaks for all of it when its tree has the discards too, and so the rules and holds that they went by: a log
# can be written anew from the recordings on.
said() { # who, when all of it was recorded, when it was discarded too
    [ -z "$2" ] || [ "$2" = "$3" ] || echo "By $1's clock, nothing of it was recorded later than $2. 录像此时之前均已存在"
    [ -z "$3" ] || echo "By $1's clock, nothing of it was recorded or discarded later than $3. 录像和删除记录此时之前均已存在"
}
[ -z "$before" ] || echo "By the authority's clock, all of it was recorded later than $before. 均晚于此时录制"
anchored=$whole
said "the authority" "$recorded" "$whole"
sort -n "$temp/cosigned" -o "$temp/cosigned"
cut -d' ' -f4 "$temp/cosigned" | sort -u >"$temp/witnesses"
while IFS= read -r vkey; do
    who="witness ${vkey%%+*}"
    if [ -s "$temp/named" ] && ! grep -qxF -e "$vkey" "$temp/named"; then
        echo "$who cosigned it, and is not among those that were named. 该见证者未列入"
        continue
    fi
    grep -F " $vkey" "$temp/cosigned" >"$temp/mine"
    at=$(awk -v first="${first_item:-0}" '$2 < first { said = $3 } END { print said }' "$temp/mine")
    [ -z "$at" ] || echo "By $who's clock, all of it was recorded later than $(utc "$at"). 均晚于此时录制"
    early=$(awk -v last="${last_beat:-0}" '$1 > last { print $3; exit }' "$temp/mine")
    at=$(awk -v last="$last_of_all" '$1 > last { print $3; exit }' "$temp/mine")
    said "$who" "${early:+$(utc "$early")}" "${at:+$(utc "$at")}"
    anchored=$anchored$at
done <"$temp/witnesses"
sort -u "$temp/named" | grep -vxFf "$temp/witnesses" | while IFS= read -r vkey; do
    echo "Nothing in this package is cosigned by $vkey. 无该见证者的签名"
done
[ -n "$anchored" ] || echo "NOT ANCHORED: nobody outside is known by this package to have seen all of it; by the package" \
    "alone, who has the recorder's key could have written it anew. 无外部时间戳或见证"
[ -n "$theirs" ] || { [ ! -s "$temp/seen" ] && [ -z "$handed" ]; } || echo "The authority's certificates are those of the package (SHA-256 of" \
    "$roots: $(sha256sum <"$roots" | cut -c1-64)): compare them with its own. 请核对时间戳机构证书"
[ -s "$temp/named" ] || sed 's/.*/The witness'"'"'s key is that of the package: compare & with its own. 请核对见证者公钥/' "$temp/witnesses"
[ "$(grep -c '^early' "$temp/judged")" = 0 ] || echo "BREACH: $(grep -c '^early' "$temp/judged") segments were discarded" \
    "before the law allowed it; the log admits it: the disk was full, and the recorder's owner had chosen to overwrite." \
    "未满法定最短留存期即被覆盖，日志已载明"
echo "GOOD: $(grep -c '^file' "$temp/judged") files and $(grep -c '^gap' "$temp/judged") gaps account for all of" \
    "$(claim start) to $(claim end); $(grep -c '^gone' "$temp/judged") segments were discarded lawfully. 校验通过"
