#!/usr/bin/env bash
# arrows_test.sh - arrows.sh finds each kind of forbidden include in a small tree, and only those.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

# check EXPECTED FILE INCLUDE [FILE INCLUDE]... : good, or bad by the last include alone
check() {
    local expected=$1 file output rc=0
    shift
    rm -rf "${tree:?}"/*
    mkdir "$tree/base"
    while [ $# -gt 0 ]; do
        file=$1
        mkdir -p "$tree/$(dirname "$file")"
        printf '/* a tree */\n#include %s\n' "$2" >>"$tree/$file"
        shift 2
    done
    output=$(bash "$here/arrows.sh" "$tree" 2>&1) || rc=$?
    if [ "$expected" = good ] && { [ $rc -ne 0 ] || [ -n "$output" ]; }; then
        echo "a good tree was refused: $output"
        failures=$((failures + 1))
    fi
    if [ "$expected" = bad ] && { [ $rc -eq 0 ] || [[ $output != "$file:"* ]]; }; then
        echo "not found: $file (exit $rc, said: $output)"
        failures=$((failures + 1))
    fi
}

check good base/a.c '"base/err.h"'
check good ipc/a.c '"base/err.h"' ipc/b.c '"quell.pb-c.h"' ipc/endpoint.c '<nanomsg/nn.h>'
check good supervisor/a.c '"cgroups/task_cgroup.h"' supervisor/core/a.c '"quell.pb-c.h"'
check good agent/a.c '"http/http_server.h"' agent/core/a.c '"ipc/task.h"' agent/a_link.c '<event2/event.h>'
check good agent/core/a.c '"agent/core/a.h"' agent/b.c '"agent/core/a.h"' agent/c.c '<jansson.h>'
check good head/main.c '"libquell/quell.h"' libquell/store.c '<sqlite3.h>' ctl/a.c '<curl/curl.h>'
check good libquell/core/a.c '"libquell/quell.h"'
check good cgroups/host.c '<libcgroup.h>' base/config.c '<ini.h>' http/a.c '<event2/http.h>'

check bad base/a.c '"ipc/task.h"'
check bad base/a.c '"quell.pb-c.h"'
check bad base/a.c '"err.h"'
check bad ipc/a.c '"cgroups/task_cgroup.h"'
check bad http/a.c '"ipc/task.h"'
check bad cgroups/a.c '"ipc/task.h"'
check bad supervisor/a.c '"agent/b.h"'
check bad supervisor/a.c '"http/http_server.h"'
check bad supervisor/a.c '"cgroups/cgroup_host.h"'
check bad agent/a.c '"supervisor/b.h"'
check bad agent/a.c '"libquell/quell.h"'
check bad agent/a.c '"cgroups/backend.h"'
check bad agent/a.c '"tests/fake.h"'
check bad libquell/a.c '"http/http_server.h"'
check bad head/a.c '"cgroups/task_cgroup.h"'
check bad head/a.c '"libquell/store.h"'
check bad head/a.c '"libquell/core/table.h"'
check bad ctl/a.c '"libquell/quell.h"'
check bad agent/core/a.c '"agent/b.h"'
check bad agent/core/a.c '"base/clock.h"'
check bad agent/core/a.c '"ipc/endpoint.h"'
check bad libquell/core/a.c '"base/fdio.h"'
check bad libquell/core/a.c '<jansson.h>'
check bad agent/core/a.c '<event2/event.h>'
check bad agent/a.h '<event2/event.h>'
check bad libquell/a.c '<event2/event.h>'
check bad agent/a.c '<nanomsg/nn.h>'
check bad ipc/a.c '<nanomsg/nn.h>'
check bad agent/a.c '<libcgroup.h>'
check bad cgroups/a.c '<libcgroup.h>' cgroups/b.c '<libcgroup.h>'
check bad libquell/a.c '<sqlite3.h>' libquell/b.c '<sqlite3.h>'
check bad ipc/task.c '<jansson.h>'
check bad http/a.c '<jansson.h>'
check bad head/a.c '<curl/curl.h>'
check bad ctl/a.c '<curl/curl.h>' ctl/b.c '<curl/easy.h>'
check bad agent/a.c '<ini.h>'
check bad base/a.c '<criterion/criterion.h>'
check bad base/a.c '"base/err.h"' base/a.c '  "ipc/task.h"'

rm -rf "${tree:?}"/*
if bash "$here/arrows.sh" "$tree" 2>/dev/null; then
    echo "an empty tree was taken for a good one"
    failures=$((failures + 1))
fi
exit $((failures > 0))
