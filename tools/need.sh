# shellcheck shell=bash disable=SC2034 # sourced: the lists are for who sources it
# need.sh - sourced by demo.sh and test.sh: installs the Debian packages that are missing, by name.

# What the programs are built with, and what the demo runs.
packages_build="gcc libc6-dev linux-libc-dev cmake ninja-build pkgconf musl-tools protobuf-c-compiler
libprotobuf-c-dev libevent-dev libnanomsg-dev libcgroup-dev libsqlite3-dev libjansson-dev libinih-dev
libcurl4-openssl-dev"
packages_demo="jq procps"
# What the tests need besides.
packages_test="g++ libcriterion-dev clang-format clang-tidy shellcheck strace git util-linux mount python3"

# need PACKAGE... : checks first; with nothing missing it touches nothing and needs no network.
need() {
	local package missing=()
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			missing+=("$package")
	done
	[ ${#missing[@]} != 0 ] || return 0
	echo "installing: ${missing[*]}"
	[ "$(id -u)" = 0 ] || {
		echo "not root: install these Debian packages first: ${missing[*]}" >&2
		return 1
	}
	apt-get -qq update &&
		DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
			"${missing[@]}" >/dev/null || {
		echo "could not install: ${missing[*]}" >&2
		return 1
	}
}

# need_cgroups: a cgroup v2 hierarchy (alone or beside v1) in which groups can be made; else one
# sentence that says what was looked for and what was found.
need_cgroups() {
	local mount options try
	read -r mount options < <(awk '{ for (i = 7; i <= NF; i++) if ($i == "-") break }
		$(i + 1) == "cgroup2" { print $5, $6; exit }' /proc/self/mountinfo) || :
	if [ -z "$mount" ]; then
		echo "looked for a cgroup2 file system in /proc/self/mountinfo, found none: quelld needs cgroup v2, alone or beside v1" >&2
		return 1
	fi
	case ,$options, in
	*,ro,*)
		echo "looked for a cgroup2 file system to make groups in, found $mount mounted read-only" >&2
		return 1
		;;
	esac
	try=$mount/quell-need-$$
	mkdir "$try" 2>/dev/null || {
		echo "looked for a place to make control groups, found that none can be made in $mount" >&2
		return 1
	}
	rmdir "$try"
}
