#!/bin/bash
# docs_test.sh STEP [BIN_DIR] - the documents say what is so. Steps:
#   demo     the demo's output in README.md is what ./demo.sh prints, but for ids, pids and times
#            (QUELL_DEMO_OUTPUT: a file with the output of a run, instead of a run)
#   names    verbs, options, files and links that the documents name exist
#   config   the example configuration files are accepted and hold every key
#   canceltask  each row of docs/canceltask.md names tests, and they exist
#   wire     docs/examples/tiny_head.py, made from docs/wire.md alone, runs a task on a real agent
#   update   puts the output of ./demo.sh into README.md
set -u -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
step=${1:-} bin=${QUELL_BIN_DIR:-${2:-build/release/bin}}
bin=$(realpath "$bin")
tmp=$(mktemp -d /tmp/quell-docs.XXXXXX) || exit 1
agent_pid='' head_pid='' failed=0

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[ -z "$head_pid" ] || ! kill "$head_pid" 2>/dev/null || wait "$head_pid" 2>/dev/null
	[ -z "$agent_pid" ] || ! kill "$agent_pid" 2>/dev/null || wait "$agent_pid" 2>/dev/null
	remove_groups
	rm -rf "$tmp"
}

# What a failed test may have left in the agent's control groups.
# shellcheck disable=SC2317
remove_groups() {
	local group pid
	group=$(sed -nE 's/.*, cgroups [a-z0-9]+ at ([^,]+),.*/\1/p' "$tmp/quelld" 2>/dev/null)
	[ -n "$group" ] && [ -d "$group" ] || return 0
	while read -r pid; do
		tail --pid="$pid" -f /dev/null & # until it has ended
	done < <(cat "$group"/*/cgroup.procs)
	for kill in "$group"/*-*/cgroup.kill; do
		[ ! -e "$kill" ] || echo 1 >"$kill"
	done
	wait
	find /sys/fs/cgroup -depth -type d -path "*/$(basename "$group")*" -exec rmdir {} +
}
trap cleanup EXIT
trap 'exit 1' INT TERM

complain() {
	echo "docs_test.sh: $*" >&2
	failed=1
}

# ---- the demo ----

run_demo() { # to $tmp/demo
	if [ -n "${QUELL_DEMO_OUTPUT:-}" ]; then
		cp "$QUELL_DEMO_OUTPUT" "$tmp/demo"
	else
		./demo.sh >"$tmp/demo" 2>"$tmp/demo.err" || {
			cat "$tmp/demo.err" >&2
			complain "./demo.sh failed"
			exit 1
		}
	fi
	sed -i -e '/^installing: /d' -e '1{/^$/d}' "$tmp/demo"
}

readme_block() { # the fenced block behind the mark
	awk '/^<!-- demo:/ { mark = 1; next }
		mark && /^```/ { if (inside) exit; inside = 1; next }
		inside' README.md
}

normalise() {
	sed -E -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' \
		-e 's#/tmp/quell-demo\.[A-Za-z0-9]+#TMP#g' \
		-e 's/^ *[0-9]+ +nobody +[A-Z] .* (TMP.*)$/PID nobody S CPU MEMORY \1/' \
		-e 's/[0-9]+\.[0-9]{3} ms/MS ms/' \
		-e 's/cgroup inode [0-9]+/cgroup inode INODE/' \
		-e 's/boot [0-9a-f]{8}/boot BOOT/' \
		-e 's/^ *usage .*/usage USAGE/' \
		-e 's/[[:space:]]+/ /g' -e 's/^ //' -e 's/ $//'
}

check_demo() {
	run_demo
	readme_block >"$tmp/readme"
	[ -s "$tmp/readme" ] || complain "README.md has no block with the demo's output"
	normalise <"$tmp/readme" >"$tmp/readme.n"
	normalise <"$tmp/demo" >"$tmp/demo.n"
	diff -u --label README.md --label ./demo.sh "$tmp/readme.n" "$tmp/demo.n" >&2 ||
		complain "README.md does not show what ./demo.sh prints (tests/docs_test.sh update mends it)"
}

update_readme() {
	run_demo
	awk -v file="$tmp/demo" '/^<!-- demo:/ { mark = 1 }
		mark && /^```/ && !inside { print; inside = 1; while ((getline line < file) > 0) print line; next }
		mark && inside { if (/^```/) { mark = 0; inside = 0; print } ; next }
		{ print }' README.md >"$tmp/new" && cat "$tmp/new" >README.md
}

# ---- names ----

# Lines of programs in the fenced blocks and `...` of a document, continued lines joined.
command_lines() {
	awk '/^<!-- demo:/ { skip = 1 }
		/^```/ { fenced = !fenced; if (!fenced) skip = 0; next }
		fenced && !skip { if (sub(/\\$/, "")) { kept = kept $0; next } print kept $0; kept = "" }
		!fenced { while (match($0, /`[^`]+`/)) { print substr($0, RSTART + 1, RLENGTH - 2); $0 = substr($0, RSTART + RLENGTH) } }' \
		"$1" | sed -E -e 's/^[#$] //' -e 's/ #.*//' -e 's/(^| )-- .*//' -e 's/[|;&>].*//' |
		sed -nE 's#^(\./|build/release/bin/)?((quellctl|quelld|quell-head)( .*)?)$#\2#p'
}

# Whether the help text in the file $1 names the option $2.
has_option() {
	grep -qE -- "(^|[^-a-zA-Z0-9])$(printf '%s' "$2" | sed 's/[^-a-zA-Z0-9]/\\&/g')([^-a-zA-Z0-9]|\$)" "$1"
}

check_line() { # DOCUMENT WORD...
	local document=$1 program=$2 help=$tmp/help.$2 verb='' word
	shift 2
	"$bin/$program" --help >"$help"
	while [ $# != 0 ]; do
		word=$1
		shift
		case $word in
		-*)
			word=${word%%=*}
			has_option "$help" "$word" || { [ -n "$verb" ] && has_option "$help.$verb" "$word"; } ||
				complain "$document: $program ${verb:+$verb }has no option $word"
			[ -n "$verb" ] || case $word in --head | --agent | --config) [ $# = 0 ] || shift ;; esac
			;;
		*)
			[ "$program" = quellctl ] && [ -z "$verb" ] || continue
			verb=$word
			if grep -qE "^  $verb( |\$)" "$help"; then
				"$bin/quellctl" "$verb" --help >"$help.$verb"
			else
				complain "$document: quellctl has no verb $verb"
				return
			fi
			;;
		esac
	done
}

check_names() {
	local document line count=0 word path
	for document in README.md docs/*.md; do
		while read -r line; do
			read -ra words <<<"$line"
			check_line "$document" "${words[@]}"
			count=$((count + 1))
		done < <(command_lines "$document")
		while read -r path; do
			path=${path%%#*}
			[ -z "$path" ] || [ -e "$(dirname "$document")/$path" ] ||
				complain "$document: a link to $path, which does not exist"
		done < <(grep -oE '\]\([^)]+\)' "$document" | sed -e 's/^](//' -e 's/)$//' | grep -v '^http')
	done
	[ $count -ge 15 ] || complain "only $count lines with programs were found in the documents"
	while read -r word; do
		[ -e "$word" ] || complain "the sources name $word, which does not exist"
	done < <(grep -rhoE 'docs/[a-zA-Z0-9_/-]+\.(md|py|conf)' --include='*.[ch]' --include=CMakeLists.txt \
		--include='*.sh' --include='*.proto' --include='*.md' --include='*.cmake' --exclude-dir=build . | sort -u)
}

# ---- configuration ----

check_config() { # PROGRAM EXAMPLE SOURCE FLAG
	local program=$1 example=docs/examples/$2 source=$3 section name said
	install -d -m 0700 "$tmp/nodes"
	sed -E -e 's/^#([a-z_]+ = )/\1/' -e "s#ipc:///run/quell/nodes#ipc://$tmp/nodes#" "$example" >"$tmp/$2"
	[ "$(grep -cE '^[a-z_]+ = ' "$tmp/$2")" -gt "$(grep -cE '^[a-z_]+ = ' "$example")" ] ||
		complain "$example shows no default that is commented out"
	for file in "$example" "$tmp/$2"; do
		said=$("$bin/$program" --config "$file" "$4" "ipc://$tmp/nodes/head.ipc" --check-config 2>&1)
		[ "$said" = ok ] || complain "$program --check-config of $example says: $said"
	done
	while read -r section name; do
		awk -v section="[$section]" -v name="$name" '/^\[/ { at = $0 }
			at == section && $0 ~ "^#?" name " = " { found = 1 } END { exit !found }' "$example" ||
			complain "$example lacks [$section] $name"
		grep -qF "| $section | \`$name\` |" docs/operating.md ||
			complain "docs/operating.md lacks [$section] $name"
	done < <(sed -nE 's/.*\.section = "([a-z_]+)", \.name = "([a-z_]+)".*/\1 \2/p' "$source")
	grep -qE '\.section = "' "$source" || complain "no keys were found in $source"
}

# ---- canceltask ----

# Each test that there is, as SUITE.NAME.
list_tests() {
	cat tests/*/*.c | tr -s ' \t\n' ' ' |
		grep -oE '\b(Test|ParameterizedTest)\([^)]*\)' |
		sed -nE -e 's/^Test\( ?([a-z0-9_]+) ?, ?([a-z0-9_]+).*/\1.\2/p' \
			-e 's/^ParameterizedTest\([^,]*, ?([a-z0-9_]+) ?, ?([a-z0-9_]+).*/\1.\2/p' | sort -u
}

# What is wrong with the rows of the tables in the document $1 that have a column "test", a line each.
judge_rows() {
	awk -F ' *[|] *' -v tests="$tmp/tests" '
		BEGIN { while ((getline line < tests) > 0) known[line] = 1 }
		!/^\|/ { column = 0; next }
		/^\|---/ { next }
		{ header = 0; for (i = 1; i <= NF; i++) if ($i == "test") { column = i; header = 1 } }
		header || !column { next }
		{
			count++; cell = $column; named = 0
			while (match(cell, /`[^`]+`/)) {
				name = substr(cell, RSTART + 1, RLENGTH - 2); cell = substr(cell, RSTART + RLENGTH)
				named++
				if (!(name in known)) print "\"" $2 "\" names " name ", which does not exist"
			}
			if (!named) print "\"" $2 "\" names no test"
		}
		END { if (count < 50) print "only " count + 0 " rows with tests were found" }' "$1"
}

check_canceltask() {
	local document=docs/canceltask.md line word
	list_tests >"$tmp/tests"
	while read -r line; do
		complain "$document: $line"
	done < <(judge_rows "$document")
	# The judge is not blind: a test that is renamed, and a cell that is empty.
	sed 's/`task\.every_status/`task.some_status/' "$document" >"$tmp/renamed.md"
	sed -E 's/`(requeue|crossing)\.[a-z0-9_]+`//g' "$document" >"$tmp/emptied.md"
	judge_rows "$tmp/renamed.md" | grep -q 'names task.some_status.*, which does not exist' &&
		judge_rows "$tmp/emptied.md" | grep -q 'names no test' ||
		complain "a row that is wrong is not noticed"
	while read -r word; do
		grep -q "\b$word(" libquell/quell.h || complain "$document: libquell has no $word()"
	done < <(grep -oE '\bquell_[a-z_]+\(\)' "$document" | tr -d '()' | sort -u)
	while read -r word; do
		grep -q "^| $word |" "$document" || complain "$document lacks the refusal $word"
	done < <(sed -nE 's/.*TASK_E_[A-Z_]+ = \(int\) (0x[0-9A-F]+).*/\1/p' ipc/task.h)
}

# ---- the wire ----

await() { # FILE TEXT: waits until TEXT is in FILE
	timeout 30 tail -n +1 -F "$1" 2>/dev/null | grep -m 1 -q -F -- "$2"
	[ "${PIPESTATUS[1]}" = 0 ] || complain "$(basename "$1") did not say '$2': $(cat "$1")"
}

check_wire() {
	install -d -m 0700 "$tmp/nodes"
	chmod 0755 "$tmp"
	: >"$tmp/quelld"
	timeout 60 python3 docs/examples/tiny_head.py "ipc://$tmp/nodes/head.ipc" nobody sleep 600 \
		>"$tmp/head" 2>&1 &
	head_pid=$!
	"$bin/quelld" --head "ipc://$tmp/nodes/head.ipc" --node docs --socket "$tmp/agent.sock" \
		--state-dir "$tmp/agent" --run-dir "$tmp/run" 2>"$tmp/quelld" &
	agent_pid=$!
	await "$tmp/quelld" "connected with the head"
	wait "$head_pid" || complain "tiny_head.py failed"
	head_pid=''
	grep -q '^started, pid [0-9]' "$tmp/head" && grep -q '^Cancelled method 5 signal 15' "$tmp/head" ||
		complain "tiny_head.py said: $(cat "$tmp/head")"
	[ "$(ls "$tmp/agent/attempts")" = '' ] || complain "the agent did not forget what was acknowledged"
	kill "$agent_pid" && wait "$agent_pid" || complain "quelld did not end cleanly"
	agent_pid=''
	[ $failed = 0 ] || cat "$tmp/quelld" >&2
}

case $step in
demo) check_demo ;;
update) update_readme ;;
names) check_names ;;
config)
	check_config quelld quelld.conf agent/options.c --head
	check_config quell-head head.conf head/options.c --listen
	;;
canceltask) check_canceltask ;;
wire) check_wire ;;
*)
	sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
	;;
esac
exit $failed
