#!/usr/bin/env bash
# Solve every spec of a folder, several at a time, and print a table: name, verdict, objective, gap, exit code.
# usage: batch.sh SPECS OUT [JOBS [FLAGS OF homfac solve..]]
# OUT gets a run folder, NAME.json and NAME.log for each spec, and table.tsv; runs that are there already are replaced.
# The exit code is the largest of all. Needs jq; HOMFAC names the binary.
set -euo pipefail
specs=${1:?usage: batch.sh SPECS OUT [JOBS [FLAGS..]]}
out=${2:?usage: batch.sh SPECS OUT [JOBS [FLAGS..]]}
jobs=${3:-$(getconf _NPROCESSORS_ONLN)}
flags=("${@:4}")
mkdir -p "$out"

solve() {
    local out=$1 spec=$2 code=0
    local name
    name=$(basename "$spec" .toml)
    # a thread each, since the jobs fill the cores; the certificate on stdout, messages on stderr
    "${HOMFAC:-homfac}" solve "$spec" -o "$out/$name" --force --threads 1 --json -q "${@:3}" \
        >"$out/$name.json" 2>"$out/$name.log" || code=$?
    echo "$code" >"$out/$name.code"
}
export -f solve
find "$specs" -maxdepth 1 -name '*.toml' -print0 | sort -z |
    xargs -0 -P "$jobs" -I{} bash -c 'solve "$@"' _ "$out" {} ${flags[@]+"${flags[@]}"}

worst=0
{
    printf 'name\tverdict\tobjective\tgap\texit\n'
    for spec in "$specs"/*.toml; do
        name=$(basename "$spec" .toml)
        code=$(<"$out/$name.code")
        rm "$out/$name.code"
        if [ -s "$out/$name.json" ]; then
            jq -r --arg name "$name" --arg code "$code" \
                '[$name, .verdict, .objective.total, (.gap.relative // "-"), $code] | @tsv' "$out/$name.json"
        else
            # nothing was solved: the reason is in the log
            printf '%s\terror\t-\t-\t%s\n' "$name" "$code"
        fi
        if [ "$code" -gt "$worst" ]; then worst=$code; fi
    done
} >"$out/table.tsv"
column -t -s "$(printf '\t')" "$out/table.tsv"
exit "$worst"
