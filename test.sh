#!/bin/bash
# test.sh - every test: style, unit, contract and integration, as built for development, with ASan and
# UBSan, and against the release. Installs what is missing. Non-zero when anything fails.
#
#   test.sh [STEP]...    STEPs: style dev v1 asan release demo (default: all)
set -u -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
. tools/need.sh

[ "$(id -u)" = 0 ] || {
	echo "test.sh: must be run as root: the tests make cgroups and become other users" >&2
	exit 1
}
need_cgroups || exit 1
# shellcheck disable=SC2086 # lists of names
need $packages_build $packages_demo $packages_test || exit 1

steps=("$@")
[ ${#steps[@]} != 0 ] || steps=(style dev v1 asan release demo)
passed=0 failed=0 failures=() skipped=()

step() { # NAME COMMAND...
	local name=$1 start=$SECONDS
	shift
	printf '\n==== %s\n' "$name"
	if "$@"; then
		passed=$((passed + 1))
		printf '==== %s: passed, %s s\n' "$name" $((SECONDS - start))
	else
		failed=$((failed + 1))
		failures+=("$name")
		printf '==== %s: FAILED, %s s\n' "$name" $((SECONDS - start))
	fi
}

build() { # PRESET
	mkdir -p build
	{ cmake --preset "$1" && cmake --build --preset "$1"; } >"build/$1.log" 2>&1 || {
		tail -n 60 "build/$1.log"
		return 1
	}
}

# What a test could not do here: it says so itself, and why. It does not count as passed.
collect_skipped() { # STEP PRESET
	local line
	while read -r line; do
		skipped+=("$1: $line")
	done < <(grep -h -o -E 'SKIPPED: .*|\[SKIP\] .*' "build/$2/Testing/Temporary/LastTest.log" 2>/dev/null | sort -u)
}

sources() {
	git ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null || find . -path ./build -prune -o -name "${1#\*}" -print
}

check_format() {
	sources '*.c' '*.h' | xargs clang-format --dry-run -Werror
}

check_shell() {
	sources '*.sh' | xargs shellcheck -S warning -e SC1091 demo.sh test.sh .ci/run
}

check_tidy() {
	run-clang-tidy -quiet -p build/dev "$PWD/(base|ipc|http|cgroups|supervisor|agent|libquell|head|ctl)/.*\.c" \
		>build/tidy.log 2>&1 || {
		grep -E 'error:|warning:' build/tidy.log | sort -u | head -n 60
		return 1
	}
}

for name in "${steps[@]}"; do
	case $name in
	style)
		step "clang-format" check_format
		step "shellcheck" check_shell
		step "build (dev)" build dev
		step "clang-tidy" check_tidy
		;;
	dev)
		step "build (dev)" build dev
		step "tests (dev)" ctest --preset dev -j 2
		collect_skipped dev dev
		;;
	v1) # what a cgroup tree of the other kind changes
		step "build (dev)" build dev
		step "integration (v1)" env QUELL_TEST_CGROUP_MODE=v1 \
			ctest --preset dev -j 2 -L integration -E 'crowd|bad_clients|docs|install|check_config|scheduler'
		collect_skipped v1 dev
		;;
	asan)
		step "build (asan)" build asan
		step "tests (asan)" ctest --preset asan -j 2
		collect_skipped asan asan
		;;
	release)
		step "build (release)" build release
		step "build (dev)" build dev
		step "integration (release)" env QUELL_BIN_DIR="$PWD/build/release/bin" \
			ctest --preset dev -j 2 -L integration
		collect_skipped release dev
		;;
	demo)
		step "demo.sh" ./demo.sh
		;;
	*)
		echo "test.sh: no step named $name" >&2
		exit 2
		;;
	esac
done

printf '\n'
[ ${#skipped[@]} = 0 ] || printf '%s\n' "${skipped[@]}"
[ $failed = 0 ] || printf 'failed: %s\n' "${failures[@]}"
printf '%s passed, %s failed, %s skipped\n' $passed $failed ${#skipped[@]}
[ $failed = 0 ]
