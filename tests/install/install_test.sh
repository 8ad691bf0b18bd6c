#!/bin/bash
# install_test.sh BUILD_DIR TEST_SCHEDULER - what `cmake --install` puts below a prefix is complete: a
# scheduler is compiled against it as its author would, and run with the programs that lie there.
# $QUELL_BIN_DIR: the bin/ of another build that is installed instead.
set -u -o pipefail
build=${QUELL_BIN_DIR:+$(dirname "$QUELL_BIN_DIR")}
build=$(realpath "${build:-$1}") test_scheduler=$2
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
tmp=$(mktemp -d /tmp/quell-install.XXXXXX) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM
failed=0

complain() {
	echo "install_test.sh: $*" >&2
	failed=1
}

prefix=$tmp/prefix
cmake --install "$build" --prefix "$prefix" >"$tmp/log" || {
	complain "cmake --install failed: $(cat "$tmp/log")"
	exit 1
}
pc=$(find "$prefix" -name quell.pc)
export PKG_CONFIG_PATH=${pc%/*}
libdir=$(pkg-config --variable=libdir quell) || complain "pkg-config does not know quell"
[ "$(realpath "$libdir")" = "$(realpath "${pc%/*}/..")" ] || complain "quell.pc says that libdir is $libdir"

# ---- these files, and no others ----

diff -u - <(cd "$prefix" && find . ! -type d | sed -E 's#^\./##; s#^lib/[^/]*-linux-[^/]*/#lib/#' | LC_ALL=C sort) >&2 <<-'END' ||
	bin/quell-head
	bin/quellctl
	bin/quelld
	include/quell/base/err.h
	include/quell/ipc/task.h
	include/quell/libquell/quell.h
	lib/libquell.a
	lib/libquell.so
	lib/libquell.so.0
	lib/libquell.so.0.1.0
	lib/pkgconfig/quell.pc
	libexec/quell/quell-supervisor
END
	complain "other files are installed than expected"
for program in "$prefix"/bin/* "$prefix/libexec/quell/quell-supervisor"; do
	"$program" --version >"$tmp/version" || complain "$program --version fails"
	grep -qF "$(pkg-config --modversion quell)" "$tmp/version" ||
		complain "$program is $(cat "$tmp/version"), quell.pc is of $(pkg-config --modversion quell)"
done

# ---- the headers, for C and for C++ ----

echo '#include "libquell/quell.h"' >"$tmp/header.c"
read -ra cflags < <(pkg-config --cflags quell)
for compiler in "gcc -std=c11" "g++ -x c++ -std=c++11"; do
	# shellcheck disable=SC2086 # a command with options
	$compiler -Wall -Wextra -pedantic -Werror "${cflags[@]}" -fsyntax-only "$tmp/header.c" ||
		complain "$compiler does not accept the headers"
done
printf '#include "libquell/quell.h"\nint main() { return quell_close(0) != 0; }\n' >"$tmp/main.cpp"
read -ra libs < <(pkg-config --libs quell)
g++ "${cflags[@]}" "$tmp/main.cpp" "${libs[@]}" -o "$tmp/cpp" && LD_LIBRARY_PATH=$libdir "$tmp/cpp" ||
	complain "a C++ program is not linked or does not run"

# ---- the example, shared and static (nanomsg comes as a shared library alone) ----

build_scheduler() { # NAME LIBRARY...
	local name=$1
	shift
	cc -Wall -Wextra -Werror "${cflags[@]}" docs/examples/scheduler.c "$@" -o "$tmp/$name" ||
		complain "the $name scheduler is not built"
}

run_scheduler() { # NAME: as a test does it, with the installed agent
	"$tmp/$1" --help | grep -q '^usage: ' || complain "the $1 scheduler has no --help"
	QUELL_BIN_DIR=$prefix/bin QUELL_SCHEDULER=$tmp/$1 "$test_scheduler" ||
		complain "the $1 scheduler does not do what it should with the installed agent"
}

build_scheduler shared "${libs[@]}"
LD_LIBRARY_PATH=$libdir ldd "$tmp/shared" | grep -q "libquell.so.0 => $libdir/" ||
	complain "the shared scheduler is linked with: $(ldd "$tmp/shared")"
LD_LIBRARY_PATH=$libdir run_scheduler shared
read -ra libs < <(pkg-config --libs quell nanomsg sqlite3 libprotobuf-c | sed 's/-lquell/-l:libquell.a/')
[ "$(pkg-config --print-requires-private quell | xargs)" = "nanomsg sqlite3 libprotobuf-c" ] ||
	complain "quell.pc names other libraries beneath it: $(pkg-config --print-requires-private quell)"
build_scheduler static "${libs[@]}"
! ldd "$tmp/static" | grep libquell || complain "the static scheduler needs libquell.so"
run_scheduler static
exit $failed
