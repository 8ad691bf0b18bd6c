#!/usr/bin/env bash
# arrows.sh ROOT - fails when a file of the product includes what its folder must not: the arrows
# between our folders, what a pure core may know, and who owns which foreign library.
set -euo pipefail
cd "${1:?usage: arrows.sh ROOT}"

folders=()
for folder in base ipc http cgroups supervisor agent libquell head ctl; do
    [ -d "$folder" ] && folders+=("$folder")
done
if [ ${#folders[@]} -eq 0 ]; then
    echo "arrows: $PWD has none of our folders" >&2
    exit 1
fi

# shellcheck disable=SC2016 # a program of awk, not of the shell
find "${folders[@]}" -name '*.[ch]' -print0 | sort -z | xargs -0 awk '
function set_of(list, ret,    words, n, i) {
    n = split(list, words, " ")
    for (i = 1; i <= n; i++)
        ret[words[i]] = 1
}
function deny(why) {
    printf "%s:%d: includes %s: %s\n", FILENAME, FNR, header, why
    bad = 1
}
# A library may have one owner: the first file met with it, and no second.
function deny_second_owner(library,    owner) {
    owner = owners[library]
    if (owner != "" && owner != FILENAME)
        deny(library " has an owner already, " owner)
    owners[library] = FILENAME
}

function check_ours(    target) {
    target = header
    sub("/.*", "", target)
    if (header == "quell.pb-c.h")
        target = "ipc"
    else if (header !~ "/") {
        deny("our headers are named from the root of the tree")
        return
    }
    if (target != folder && !((folder " " target) in arrow))
        deny("no arrow from " folder " to " target)
    else if (target != folder && (target in guarded) && !(header in face))
        deny("not the public face of " target)
    else if (folder == "supervisor" && header == "cgroups/cgroup_host.h")
        deny("the supervisor does without libcgroup")
    if (in_core && index(header, folder "/core/") != 1 && !(header in pure))
        deny("a core knows pure headers alone")
    if (!in_core && header ~ /\/core\// && target != folder)
        deny("a core is seen by its own folder alone")
}

function check_foreign(    library) {
    library = header
    sub("/.*", "", library)
    if (library == "event2") {
        if (in_core || !(folder == "http" || FILENAME ~ "^(agent|head)/.*[.]c$"))
            deny("libevent belongs to http and to the loops of agent and head")
    } else if (library == "nanomsg") {
        if (FILENAME != "ipc/endpoint.c")
            deny("nanomsg belongs to ipc/endpoint.c")
    } else if (header == "jansson.h") {
        if (in_core || !(FILENAME ~ "^ipc/task_json[.]" || folder ~ "^(agent|head|ctl)$"))
            deny("jansson belongs to ipc/task_json, agent, head and ctl")
    } else if (header == "ini.h") {
        if (FILENAME != "base/config.c")
            deny("inih belongs to base/config.c")
    } else if (library == "criterion") {
        deny("Criterion belongs to the tests")
    } else if (library in single) {
        if (folder != single[library])
            deny(library " belongs to one file of " single[library])
        else
            deny_second_owner(library)
    }
}

BEGIN {
    allow["ipc"] = allow["http"] = allow["cgroups"] = "base"
    allow["supervisor"] = "ipc cgroups base"
    allow["agent"] = "ipc http cgroups base"
    allow["libquell"] = "ipc base"
    allow["head"] = "libquell ipc http base"
    allow["ctl"] = "ipc base"
    for (from in allow) {
        n = split(allow[from], to, " ")
        for (i = 1; i <= n; i++)
            arrow[from " " to[i]] = 1
    }
    set_of("http cgroups libquell", guarded)
    set_of("http/http_server.h cgroups/task_cgroup.h cgroups/cgroup_host.h libquell/quell.h", face)
    set_of("quell.pb-c.h ipc/task.h ipc/task_pb.h ipc/record.h", pure)
    set_of("base/err.h base/hex.h base/cleanup.h base/units.h base/utf8.h libquell/quell.h", pure)
    single["libcgroup.h"] = "cgroups"
    single["sqlite3.h"] = "libquell"
    single["curl"] = "ctl"
    single["sodium.h"] = "ipc"
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
    folder = FILENAME
    sub("/.*", "", folder)
    in_core = FILENAME ~ "^[^/]*/core/"
    header = $0
    sub(/^[^"<]*["<]/, "", header)
    sub(/[">].*/, "", header)
    if ($0 ~ /^[^"<]*"/)
        check_ours()
    else
        check_foreign()
}

END { exit bad }
'
