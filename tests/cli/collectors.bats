bats_require_minimum_version 1.5.0
# What needs no container: usage, errors, recordings, pages. Over all collectors, whichever there are.
load ../live/lib

setup() {
	COLLECTORS_ALL=$(for f in "$CB_TOP"/tools/*.c; do grep -l 'cb_main' "$f"; done | xargs -n 1 basename -s .c)
}

# every option of a program's --help
long_options() {
	"$1" --help | grep -o -- '^ *\(-.,\)\? *--[a-z-]*' | grep -o -- '--[a-z-]*' | grep -v -- '--\(help\|usage\|version\)'
}

@test "every option is in the man page and in the README's or stream's words; the page has no faults" {
	for t in $COLLECTORS_ALL; do
		[ -s "$O/man/$t.8" ] || { fail "no page of $t"; return 1; }
		for o in $(long_options "$t"); do
			grep -q -- "$(sed 's/-/\\\\-/g' <<<"$o")" "$O/man/$t.8" || { fail "$t.8 does not tell of $o"; return 1; }
		done
	done
	for p in "$O"/man/*; do
		run -0 mandoc -T lint -W warning "$p"
	done
}

@test "every field is listed by --fields=help with its meaning" {
	for t in $COLLECTORS_ALL; do
		run -0 "$t" --fields=help
		for f in @timestamp container.name process.pid event.lost; do
			[[ "$output" == *"$f"* ]]
		done
	done
}

@test "usage errors are one line and 64" {
	for t in $COLLECTORS_ALL; do
		for bad in '-d x' '--container=' '-p x' '-o xml' '--nosuch'; do
			run -64 --separate-stderr "$t" $bad
			[ -z "$output" ]
			[[ "${stderr_lines[0]}" == "$t: "* ]]
		done
		run -1 --separate-stderr "$t" -r "$BATS_TEST_TMPDIR/none" -j
		[ "${#stderr_lines[@]}" = 1 ]
		[[ "$stderr" == "$t: "*none*"No such file"* ]]
	done
}

@test "a wrong field, a folder that cannot be written, a full disk: one line, status 1" {
	local t
	for t in $COLLECTORS_ALL; do
		run -1 --separate-stderr "$t" --fields=nosuch -d 100ms -j
		[ "${#stderr_lines[@]}" = 1 ]
		[[ "$stderr" == *nosuch* ]]
		run -1 --separate-stderr "$t" -w "$BATS_TEST_TMPDIR/no/such/file" -d 100ms -j
		[ "${#stderr_lines[@]}" = 1 ]
		[[ "$stderr" == *no/such/file* ]]
	done
}

@test "a recording with bad rows: each is told with its line, the good ones are shown, status 1" {
	local f=$BATS_TEST_TMPDIR/r.jsonl
	{
		echo '{"event.dataset":"cbtools.exec","event.kind":"event","event.action":"start","@timestamp":"2026-01-02T03:04:05.000000006Z","container.name":"a","process.pid":7,"process.name":"x"}'
		echo '{"event.dataset":"cbtools.exec","event.kind":"ev'
		printf '\001\377binary\n'
		echo '{"event.dataset":"cbtools.exec","event.kind":"event","event.action":"start","@timestamp":"2026-01-02T03:04:06.000000006Z","container.name":"a","process.pid":"seven","process.name":"y"}'
		echo '{"event.dataset":"cbtools.exec","event.kind":"event","event.action":"exit","@timestamp":"2026-01-02T03:04:07.000000006Z","container.name":"a","process.pid":11,"process.name":"z"}'
	} >"$f"
	run -1 --separate-stderr cexecsnoop -r "$f" -j
	[ "$(grep -c '"event.kind":"event"' <<<"$output")" = 2 ]
	[[ "${stderr_lines[0]}" == *"$f:2:"*expected* ]]
	[[ "${stderr_lines[1]}" == *"$f:3:"*expected* ]]
	[[ "${stderr_lines[2]}" == *"$f:4: process.pid: expected a number, got \"seven\""* ]]
	# rows of another data type are none of ours
	echo '{"event.dataset":"cbtools.other","event.kind":"event"}' >"$f"
	run -1 --separate-stderr cexecsnoop -r "$f" -j
	[[ "$stderr" == *"expected rows of cbtools.exec, got none"* ]]
}

@test "not root: one line that says what is needed" {
	require_root
	require_tool setpriv
	chmod 755 "$BATS_TEST_TMPDIR"
	for t in $COLLECTORS_ALL; do
		cp "$O/$t" "$BATS_TEST_TMPDIR/$t" && chmod 755 "$BATS_TEST_TMPDIR/$t"
		cd /
		run -1 --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups "$BATS_TEST_TMPDIR/$t" -d 100ms
		[ "${#stderr_lines[@]}" = 1 ]
		[[ "$stderr" == "$t: needs root"* ]]
	done
}

@test "a kernel without type information: one line that says so" {
	require_bpf
	require_mounts
	for t in $COLLECTORS_ALL; do
		run -1 --separate-stderr unshare -m sh -c "mount -t tmpfs none /sys/kernel/btf && exec $t -d 100ms"
		[ "${#stderr_lines[@]}" = 1 ]
		[[ "$stderr" == "$t: needs a kernel with type information"* ]]
	done
}

# What does not run is said; how long it says it runs is cut short: the last -d counts.
run_examples() {
	local line
	"$1" --dump=man | sed -n '/^\.SH EXAMPLES/,$p' | sed 's/\\-/-/g; s/\\e/\\/g' | grep "^$1" | sed 's/   *.*//' >"$1.examples"
	[ -s "$1.examples" ] || echo "$1: no examples"
	while read -r line; do
		[[ " $line " == *" -r "* ]] || line="$line -d 300ms"
		timeout 60 sh -c "$line" </dev/null >"$1.out" 2>&1 || echo "$line: status $?: $(cat "$1.out")"
	done <"$1.examples"
}

@test "every example of every page runs" {
	require_bpf
	cd "$BATS_TEST_TMPDIR"
	for t in $COLLECTORS_ALL; do
		run_examples "$t" >"$t.bad" 3>&- 4>&- &
	done
	wait
	[ "$(cat ./*.examples | wc -l)" -ge 30 ]
	[ -z "$(cat ./*.bad)" ] || fail "$(cat ./*.bad)"
}

@test "a reader that goes away ends a replay quietly" {
	local f=$BATS_TEST_TMPDIR/r.jsonl
	for _ in $(seq 20011); do
		echo '{"event.dataset":"cbtools.exec","event.kind":"event","event.action":"start","@timestamp":"2026-01-02T03:04:05.000000006Z","process.pid":7}'
	done >"$f"
	run -0 --separate-stderr bash -c 'cexecsnoop -a -j -r "$1" | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}' - "$f"
	[ "$output" = 0 ]
	[ -z "$stderr" ]
}
