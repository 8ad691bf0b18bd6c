#!/bin/bash
# demo.sh - the main job, seen: a task of 50 processes that fight back is cancelled, ended, proved and
# reported. Builds a release first; installs what is missing. Leaves nothing behind.
set -eu -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. tools/need.sh

fail() {
	echo "demo.sh: $*" >&2
	exit 1
}
[ "$(id -u)" = 0 ] || fail "must be run as root: quelld makes cgroups and becomes the task's user"

need_cgroups || exit 1
# shellcheck disable=SC2086 # lists of names
need $packages_build $packages_demo
mkdir -p build
{ [ -f build/release/build.ninja ] || cmake --preset release; } >build/release.log 2>&1 &&
	cmake --build --preset release >>build/release.log 2>&1 || {
	cat build/release.log >&2
	fail "the release could not be built"
}
bin=$PWD/build/release/bin
fighter=$PWD/build/release/tests/bin/fighter

# ---- a place of its own ----
count=50
mark=QUELL_DEMO_MARK=$$-$RANDOM$RANDOM
tmp=$(mktemp -d /tmp/quell-demo.XXXXXX)
head_pid='' agent_pid='' task=''

# The processes that carry the task's mark in their environment, whatever Quell says of them.
survivors() {
	{ grep -lzxF -e "$mark" /proc/[0-9]*/environ 2>/dev/null || :; } | wc -l
}

stop() { # PID: SIGTERM, and wait for its end
	[ -z "$1" ] || ! kill "$1" 2>/dev/null || wait "$1" || :
}

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	local status=$?
	trap - EXIT INT TERM
	if [ $status != 0 ]; then
		[ ! -s "$tmp/head.log" ] || sed 's/^/  /' "$tmp/head.log" >&2
		[ ! -s "$tmp/quelld.log" ] || sed 's/^/  /' "$tmp/quelld.log" >&2
		[ -z "$task" ] || "$bin/quellctl" --head "$tmp/head.sock" cancel "$task" --grace 0 --wait \
			>/dev/null 2>&1 || :
	fi
	stop "$agent_pid"
	stop "$head_pid"
	rm -rf "$tmp"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir -m 0700 "$tmp/nodes"
chmod 0755 "$tmp"
cp "$fighter" "$tmp/fighter" # nobody may not be allowed into the clone's directory
mkfifo "$tmp/out"
chown nobody "$tmp/out"

# await LOG TEXT PID: follows a program's log until it says TEXT, or ends.
await() {
	grep -m 1 -q -F -- "$2" < <(timeout 20 tail -n +1 -f --pid="$3" "$1") ||
		fail "$(basename "$1" .log) did not say '$2'"
}

: >"$tmp/head.log"
: >"$tmp/quelld.log"
"$bin/quell-head" --listen "ipc://$tmp/nodes/head.ipc" --socket "$tmp/head.sock" \
	--state-dir "$tmp/head" 2>"$tmp/head.log" &
head_pid=$!
await "$tmp/head.log" "listening" $head_pid
"$bin/quelld" --head "ipc://$tmp/nodes/head.ipc" --node demo --socket "$tmp/quelld.sock" \
	--state-dir "$tmp/agent" --run-dir "$tmp/run" 2>"$tmp/quelld.log" &
agent_pid=$!
await "$tmp/quelld.log" "connected with the head" $agent_pid
export QUELL_HEAD=$tmp/head.sock QUELL_AGENT=$tmp/quelld.sock

# ---- the job ----
say() {
	printf '\n$ %s\n' "$*"
}
say "quellctl submit -n demo --user nobody -- fighter $count"
task=$("$bin/quellctl" submit -n demo --user nobody --env "$mark" --stdout "$tmp/out" \
	-- "$tmp/fighter" $count) || fail "the task was not accepted"
echo "$task"
read -r -t 20 line <"$tmp/out" || fail "the task did not become ready"
[ "$line" = "ready $count" ] || fail "the task said '$line'"

say "quellctl ps $task"
"$bin/quellctl" ps "$task" >"$tmp/ps"
head -n 6 "$tmp/ps"
echo "... ($(grep -c fighter "$tmp/ps") processes of fighter in all)"
before=$(survivors)
[ "$before" = $count ] || fail "/proc shows $before processes of the task, not $count"

message="the demo wants its node back"
say "quellctl cancel $task -m '$message' --grace 1s --wait"
status=0
"$bin/quellctl" cancel "$task" -m "$message" --grace 1s --wait || status=$?
[ $status = 5 ] || fail "cancel --wait ended with $status, not with 5 (Cancelled)"
after=$(survivors)

say "quellctl show $task"
"$bin/quellctl" show "$task"

# ---- is it so? ----
"$bin/quellctl" --json show "$task" >"$tmp/task.json"
is() { # JQ-EXPRESSION: what is said has to be true of the task's object
	jq -e "$1" "$tmp/task.json" >/dev/null || fail "not so: $1, in $(cat "$tmp/task.json")"
}
is '.status == "TaskStatus_Cancelled"'
is ".error_message == \"$message\""
is '.proof.method == "cgroup_kill"'
is ".proof.processes_at_kill == $count"
is '.proof.us | .received == 0 and .term >= 0 and .kill >= 1000000 and .empty >= .kill and .recorded >= .empty'
printf '\nan independent look at /proc: %s of %s left\n' "$after" "$before"
[ "$after" = 0 ] || fail "processes are left"

# ---- nothing stays behind ----
group=$("$bin/quellctl" --json status | jq -r .cgroup)
stop "$agent_pid"
agent_pid=''
stop "$head_pid"
head_pid=''
[ ! -e "$group" ] || fail "the control group $group was left behind"
[ "$(survivors)" = 0 ] || fail "processes are left"
task=''
