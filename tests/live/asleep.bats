# Alone: what any container does wakes the collector
bats_require_minimum_version 1.5.0
load lib

setup() { live_setup; require_bpf; require_runc; }
teardown() { live_teardown; }

# Is this what the probe of a collector believes of its reader?
reader_sleeps() { # FILE true|false
	local pid id
	pid=$(cat "$1.pid")
	for id in $(sed -n 's/^map_id:[[:space:]]*//p' "/proc/$pid"/fdinfo/* | sort -nu); do
		case $(bpftool -j map show id "$id" | jq -r .name) in
		*.bss) bpftool -j map dump id "$id" | grep -q "\"cb_asleep\":$2" && return ;;
		esac
	done
	return 1
}

# Stopped in its sleep, so that it cannot have woken by itself.
stopped_asleep() {
	local pid
	pid=$(cat "$1.pid")
	kill -STOP "$pid"
	reader_sleeps "$1" true || { kill -CONT "$pid"; return 1; }
}

@test "a collector with nothing to read sleeps, and the probe wakes it" {
	local out=$BATS_TEST_TMPDIR/rows id
	id=$(ctr_id waker)
	collector_start "$out" cexecsnoop -j -c "$id"
	wait_for stopped_asleep "$out"
	ctr_run waker execs 7 >/dev/null
	wait_for reader_sleeps "$out" false
	kill -CONT "$(cat "$out.pid")"
	wait_for has_rows "$out" 'action == "exit" and .["process.vpid"] == 1'
	wait_for reader_sleeps "$out" true
	collector_stop "$out"
	assert_no_loss "$out"
	assert_rows "$out" "event and action == \"start\" and comm == \"execs\" and ctr == \"$id\"" 8
}
