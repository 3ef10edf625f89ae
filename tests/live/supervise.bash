# For tests of cbrecord and cbwatch, after lib.bash:
#
#	supervise_setup			in setup()
#	supervise PROGRAM ARGS...	starts it in the background, returns when all collectors are attached
#	supervisor_end [SIGNAL]		ends it; returns its exit status
#	supervise_teardown		what is left of it goes; to be called first in teardown()
#	merged DATASET FILE		all rows of a dataset that cbrecord has recorded into $REC
#
# $LOG is what it wrote to stderr, $BATS_TEST_TMPDIR/out to stdout, $SUPERVISOR its process, $CHILDREN its collectors.

supervise_setup() {
	REC=$BATS_TEST_TMPDIR/rec
	LOG=$BATS_TEST_TMPDIR/log
}

supervise() {
	rm -f "$LOG" # of the one before
	env --default-signal=INT "$@" >"$BATS_TEST_TMPDIR/out" 2>"$LOG" </dev/null 3>&- 4>&- &
	SUPERVISOR=$!
	# all attach at once, which takes its time on a busy machine
	WAIT=120 wait_for supervisor_started "$1" || { cat "$LOG"; return 1; }
	CHILDREN=$(pgrep -P "$SUPERVISOR" | paste -sd' ')
}

supervisor_started() {
	case $1 in
	cbrecord) grep -qs '^cbrecord: recording ' "$LOG" ;;
	# cdetect is started when they are
	cbwatch) pgrep -P "$SUPERVISOR" -x cdetect >/dev/null ;;
	esac || ! kill -0 "$SUPERVISOR" 2>/dev/null
}

all_gone() {
	local pid
	for pid in $CHILDREN; do
		ended "$pid" || return 1
	done
}

ended() {
	[ ! -e "/proc/$1" ] || [ "$(awk '{print $3}' "/proc/$1/stat" 2>/dev/null)" = Z ]
}

# Sends SIGINT, or the signal given; returns the exit status.
supervisor_end() {
	local pid=$SUPERVISOR rc=0
	kill "-${1:-INT}" "$pid"
	wait "$pid" || rc=$?
	SUPERVISOR=
	[ $rc = 0 ] || cat "$LOG"
	return $rc
}

# A whole supervisor and what it started must go, however the test ended.
supervise_teardown() {
	[ -z "$SUPERVISOR" ] || { kill -KILL "$SUPERVISOR" 2>/dev/null && wait "$SUPERVISOR" 2>/dev/null || true; }
	[ -z "$CHILDREN" ] || wait_for all_gone
}

merged() {
	local f
	for f in "$REC/$1"-*.jsonl.zst; do
		zstdcat "$f" 2>/dev/null || true # new ones are empty
	done >"$2"
}
