bats_require_minimum_version 1.5.0
load lib

setup() { require_bpf; require_runc; require_tool promtool; live_setup; }
teardown() { live_teardown; }

# collectors, whichever there are
collectors() {
	local f
	for f in "$CB_TOP"/tools/*.c; do
		! grep -q cb_main "$f" || basename -s .c "$f"
	done
}

# metric FILE SERIES: its value; SERIES as it stands in the file, up to a label that only the test knows
metric() {
	grep -F -- "$2" "$1" | sed 's/.*} //'
}

shows() {
	grep -qxF -- "$2" "$1"
}

lacks() {
	! grep -qF -- "$2" "$1"
}

@test "331 execs in a container: counted exactly, beside the rows; clean under promtool" {
	local out=$BATS_TEST_TMPDIR/rows prom=$BATS_TEST_TMPDIR/exec.prom id
	id=$(ctr_id many)
	collector_start "$out" cexecsnoop -j --prometheus="$prom"
	[ -s "$prom" ]
	ctr_run many execs 331 >/dev/null
	wait_for has_rows "$out" "ctr == \"$id\" and action == \"exit\" and .[\"process.vpid\"] == 1"
	collector_stop "$out"
	run -0 --separate-stderr promtool check metrics <"$prom"
	[ -z "$output$stderr" ]
	for a in start exit; do
		[ "$(metric "$prom" "cbtools_exec_events_total{container=\"$id\",id=\"$id\",image=\"\",runtime=\"runc\",action=\"$a\"}")" = \
			"$(count_rows "$out" "event and ctr == \"$id\" and action == \"$a\"")" ]
	done
	[ "$(metric "$prom" "container=\"$id\",id=\"$id\",image=\"\",runtime=\"runc\",action=\"start\"}" | head -n 1)" -ge 332 ]
	for n in seen sent filtered lost; do
		[ "$(metric "$prom" "cbtools_collector_${n}_total{dataset=\"exec\"}")" = \
			"$(tail -n 1 "$out" | jq ".[\"event.$n\"] // 0")" ]
	done
	[ "$(stat -c %a "$prom")" = 644 ]
	[ ! -e "$prom.tmp" ]
}

@test "calls by name add up to the rows'; a container's series go when it is gone, the others stay" {
	local out=$BATS_TEST_TMPDIR/rows prom=$BATS_TEST_TMPDIR/calls.prom id stays
	id=$(ctr_id calls) stays=$(ctr_id stays)
	collector_start "$out" ctop-syscalls 1 -j --prometheus="$prom"
	ctr_start stays sh -c 'while :; do sleep 0.1; done'
	ctr_start calls sh -c 'calls 20011 1; sleep 1000'
	wait_for shows "$prom" "cbtools_syscall_count_total{container=\"$id\",id=\"$id\",image=\"\",runtime=\"runc\",syscall=\"getppid\"} 20012" # the shell makes one itself
	run -0 --separate-stderr promtool check metrics <"$prom"
	[ -z "$output$stderr" ]
	ctr_stop calls
	WAIT=60 wait_for lacks "$prom" "container=\"$id\""
	grep -q "^cbtools_syscall_count_total{container=\"$stays\"" "$prom"
	collector_end "$out"
	[ "$(rows "$out" "event and ctr == \"$id\" and .[\"syscall.name\"] == \"getppid\"" |
		jq -s 'map(.["syscall.count"]) | add')" = 20012 ]
}

@test "every collector: metrics of its dataset, promtool has nothing to say, and time and size are in base units" {
	local t prom id
	id=$(ctr_id busy)
	ctr_start busy sh -c 'while :; do cat /etc/passwd; sleep 0.1; done'
	for t in $(collectors); do
		prom=$BATS_TEST_TMPDIR/$t.prom
		run -0 "$t" -q -d 3 --prometheus="$prom"
		run -0 --separate-stderr promtool check metrics <"$prom"
		[ -z "$output$stderr" ] || fail "$t: $output$stderr"
		grep -q '^cbtools_collector_seen_total{dataset=' "$prom"
		! grep -q '^cbtools_[a-z0-9_]*_ns' "$prom"
	done
	prom=$BATS_TEST_TMPDIR/cresource.prom
	grep -q "^cbtools_resource_cpu_time_seconds_total{container=\"$id\"" "$prom"
	grep -q "^cbtools_resource_memory_anon_bytes{container=\"$id\"" "$prom"
	# not three seconds of CPU in three seconds of sleeping, nor nanoseconds
	awk -v c="container=\"$id\"" '/^cbtools_resource_cpu_time_seconds_total/ && index($0, c) {exit !($NF > 0 && $NF < 4)}' "$prom"
}

@test "a file that cannot be written: at the beginning an error, later a remark" {
	local out=$BATS_TEST_TMPDIR/rows dir=$BATS_TEST_TMPDIR/d
	run -1 --separate-stderr cexecsnoop -j -d 1 --prometheus=/no/such/x.prom
	[ "${#stderr_lines[@]}" = 1 ]
	[[ "$stderr" == *"/no/such/x.prom.tmp: cannot open"* ]]
	mkdir "$dir"
	collector_start "$out" ctop-syscalls 1 -j --prometheus="$dir/x.prom"
	rm -r "$dir"
	wait_for grep -q 'x.prom.tmp: cannot open' "$out.err"
	# and then goes on
	mkdir "$dir"
	wait_for test -s "$dir/x.prom"
	collector_stop "$out"
	[ "$(grep -c 'cannot open' "$out.err")" = 1 ]
}

@test "cdetect counts its alarms by container and kind" {
	local d=$BATS_TEST_TMPDIR s=$CB_TOP/tests/helpers/stream.py n
	require_tool python3
	python3 "$s" --seconds 1200 >"$d/normal.jsonl"
	python3 "$s" --seconds 300 --seed 2 --attack shell memfd packet >"$d/attack.jsonl"
	ctrain -m "$d/m.db" --new "$d/normal.jsonl" >"$d/said"
	cdetect -q -m "$d/m.db" -j --prometheus="$d/alarm.prom" "$d/attack.jsonl" >"$d/alarms.jsonl"
	run -0 --separate-stderr promtool check metrics <"$d/alarm.prom"
	[ -z "$output$stderr" ]
	for k in process syscall; do
		n=$(jq -s --arg k "$k" 'map(select(.["event.action"] == "raised" and .["alarm.kind"] == $k)) | length' "$d/alarms.jsonl")
		[ "$n" -gt 0 ]
		[ "$(grep "^cbtools_alarm_events_total{container=\"web\".*action=\"raised\",kind=\"$k\"}" "$d/alarm.prom" | sed 's/.*} //')" = "$n" ]
	done
	[ "$(sed -n 's/^cbtools_collector_seen_total{dataset="alarm"} //p' "$d/alarm.prom")" -gt 300 ]
}
