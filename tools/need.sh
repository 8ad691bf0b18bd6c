# need.sh - sourced by demo.sh and test.sh: installs the Debian packages that are missing, by name.

# What the programs are built with, and what the demo runs.
packages_build="gcc libc6-dev linux-libc-dev cmake ninja-build pkgconf musl-tools protobuf-c-compiler
libprotobuf-c-dev libevent-dev libnanomsg-dev libcgroup-dev libsqlite3-dev libjansson-dev libinih-dev
libcurl4-openssl-dev"
packages_demo="jq procps"
# What the tests need besides.
packages_test="libcriterion-dev clang-format clang-tidy shellcheck strace git util-linux python3"

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
