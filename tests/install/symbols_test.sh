#!/bin/bash
# symbols_test.sh LIBQUELL.SO LIBQUELL.A - both export the functions that the public headers declare,
# and nothing else; the manual names all of libquell/quell.h.
set -u -o pipefail
so=$1 archive=$2 failed=0
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

complain() {
	echo "symbols_test.sh: $*" >&2
	failed=1
}

# The functions that a header among those of quell.h declares, sorted.
declared() { # HEADER...
	local header
	for header; do
		printf '#include "libquell/quell.h"\n' |
			gcc -x c - -I. -fsyntax-only -aux-info /dev/stdout |
			sed -nE "s#^/\* (\./)?$header:.*[ *]([a-z0-9_]+) \(.*#\2#p"
	done | sort -u
}

# Names of `nm --format=posix`, without versions and the version's own name.
exported() { # NM_OPTION FILE
	nm "$1" --defined-only --format=posix "$2" | awk 'NF > 2 && $2 != "A" { sub("@.*", "", $1); print $1 }' |
		sort -u
}

compare() { # WHAT FILE
	diff -u --label declared --label "$1" <(declared libquell/quell.h ipc/task.h) "$2" >&2 ||
		complain "$1 does not export what the headers declare"
}

count=$(declared libquell/quell.h | wc -l)
[ "$count" -ge 10 ] || complain "only $count functions were found in libquell/quell.h"
compare "$so" <(exported -D "$so")
compare "$archive" <(exported -g "$archive")
while read -r name; do
	grep -qE "^\| .*\`$name\(" docs/libquell.md || complain "the table in docs/libquell.md lacks $name()"
done < <(declared libquell/quell.h)
exit $failed
