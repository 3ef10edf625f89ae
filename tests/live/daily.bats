# Alone: it records whatever container there is
bats_require_minimum_version 1.5.0
# The daily job: quiet when well, tells when not, learns what was well. With real containers and collectors.
load lib

setup() {
	live_setup
	require_bpf
	require_runc
	require_tool jq flock python3 gnuplot zstd
	D=$BATS_TEST_TMPDIR/state
	PATH=$CB_TOP/scripts:$PATH
	export CBTOOLS_CONFIG=$BATS_TEST_TMPDIR/default CBTOOLS_DIR=$D CBTOOLS_RECORD=8s
	daily=$CB_TOP/scripts/cron/cbtools-daily
}
teardown() { live_teardown; }

# a container that does the same again and again, and what /tmp/odd says once
worker() {
	ctr_start work sh -c 'while :; do cat /etc/passwd >/dev/null; [ ! -e /tmp/odd ] || { rm /tmp/odd; sh -c "id; uname -a"; execs 7; }; usleep 100000; done'
}

@test "learns, is quiet, then tells of what is new, with a report; what raised alarms is not learned" {
	local id sum
	id=$(ctr_id work)
	worker
	export CBTOOLS_CONTAINERS="$id"
	for _ in 1 2 3; do
		run --separate-stderr "$daily"
		[[ "$status" =~ ^[023]$ ]] || fail "status $status: $output $stderr"
		[ -z "$stderr" ] || fail "$stderr"
		# quiet when well; on a busy machine rows may be lost, which is told
		[ "$status" != 0 ] || [ -z "$output" ]
		[ "$status" != 3 ] || [[ "$output" == *"no alarm, but rows were lost"* ]]
	done
	[ -s "$D/model.db" ]
	[ -s "$D/reports/latest.html" ]
	[ "$(stat -c %a "$D/model.db")" = 600 ]
	sum=$(sha256sum <"$D/model.db")
	(WAIT=20 wait_for recording 4 && sleep 1 && touch "/proc/$(ctr_pid work)/root/tmp/odd") 3>&- 4>&- &
	run -2 --separate-stderr "$daily"
	[ -z "$stderr" ]
	[[ "${lines[0]}" == *"containers did what they never did"* ]]
	[[ "$output" == *"$id"* ]]
	[[ "$output" == *"report: $D/reports/"* ]]
	grep -q "Yes. In $id" "$D/reports/latest.html"
	[ "$(sha256sum <"$D/model.db")" = "$sum" ]
}

# the Nth recording has begun
recording() {
	[ "$(find "$D/rec" -name 'exec-*' | sed 's|/exec-.*||' | sort -u | wc -l)" -ge "$1" ]
}

@test "one at a time; old recordings go, other files stay; settings of the file and of the environment" {
	mkdir -p "$D/rec/2020-01-02T030405" "$D/rec/mine" "$D/reports"
	: >"$D/reports/2020-01-02T030405.html"
	: >"$D/reports/notes.html"
	touch -d 2020-01-02 "$D/rec/2020-01-02T030405" "$D/rec/mine" "$D/reports/"*
	echo 'CBTOOLS_RECORD=never CBTOOLS_CONTAINERS=no-such-container CBTOOLS_KEEP_DAYS=3' >"$CBTOOLS_CONFIG"
	exec 7>"$D/lock"
	flock 7
	run -1 --separate-stderr "$daily"
	[[ "$stderr" == "cbtools-daily: another one is still running"* ]]
	exec 7>&-
	CBTOOLS_RECORD=2s run -0 --separate-stderr "$daily"
	[ -z "$stderr" ] || fail "$stderr"
	[[ "$output" == *"nothing was seen of containers (no-such-container) in 2s" ]]
	[ ! -e "$D/rec/2020-01-02T030405" ]
	[ ! -e "$D/reports/2020-01-02T030405.html" ]
	[ -d "$D/rec/mine" ]
	[ -e "$D/reports/notes.html" ]
	unset CBTOOLS_RECORD
	run -1 --separate-stderr "$daily"
	[[ "$stderr" == *'got "never"'* ]]
}

@test "wrong settings: one line" {
	CBTOOLS_DIR=relative run -1 --separate-stderr "$daily"
	[ "$stderr" = 'cbtools-daily: CBTOOLS_DIR: expected an absolute path, got "relative"' ]
	CBTOOLS_LEARN=maybe run -1 --separate-stderr "$daily"
	[[ "$stderr" == *'CBTOOLS_LEARN: expected quiet, always or never, got "maybe"' ]]
	run -64 --separate-stderr "$daily" x
	[[ "$stderr" == "cbtools-daily: "* ]]
}
