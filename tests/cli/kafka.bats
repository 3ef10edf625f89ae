bats_require_minimum_version 1.5.0
# Rows through Kafka and back, as cbtools-kafka(7) says, with the functions that stand there; the cluster is played by
# librdkafka (tests/kafka/mockcluster.c).
load ../live/lib

setup_file() {
	command -v cc >/dev/null && printf '#include <librdkafka/%s.h>\n' rdkafka rdkafka_mock | cc -E - >/dev/null 2>&1 || return 0
	cc -O1 -Wall -Wextra -Werror "$BATS_TEST_DIRNAME/../kafka/mockcluster.c" -lrdkafka -o "$BATS_FILE_TMPDIR/mockcluster"
}

setup() {
	require_tool kcat python3 jq stdbuf
	[ -x "$BATS_FILE_TMPDIR/mockcluster" ] || skip "no librdkafka-dev: rows through Kafka are not tested"
	D=$BATS_TEST_TMPDIR
	mkfifo "$D/in"
	exec 8<>"$D/in"
	"$BATS_FILE_TMPDIR/mockcluster" rows 1 keyed 4 <"$D/in" >"$D/broker" 2>"$D/broker.err" 3>&- 4>&- 8>&- &
	CLUSTER=$!
	wait_for test -s "$D/broker"
	B=$(cat "$D/broker")
	# the functions of the page, as a reader would copy them
	"$CB_TOP/scripts/mkman" "$CB_TOP/man/cbtools-kafka.7.in" "$O" | sed -n '/^\(keyed\|padded\)() {/,/^}/p' |
		sed "s/\\\\(aq/'/g; s/\\\\-/-/g; s/\\\\e/\\\\/g" >"$D/functions"
	. "$D/functions"
}

teardown() {
	[ -z "$CLUSTER" ] || { kill "$CLUSTER" 2>/dev/null && wait "$CLUSTER" 2>/dev/null || true; }
}

made() {
	python3 "$CB_TOP/tests/helpers/stream.py" "$@"
}

consumed() {
	kcat -C -q -u -e -b "$B" -o beginning -t "$1"
}

@test "both ways: every row, byte for byte and in order; cdetect says the same as of the file" {
	made --seconds 600 >"$D/normal.jsonl"
	made --seconds 60 --seed 2 --attack shell memfd packet >"$D/rows.jsonl"
	ctrain -m "$D/m.db" --new "$D/normal.jsonl" >"$D/said"
	kcat -E -P -b "$B" -t rows <"$D/rows.jsonl"
	consumed rows | cmp - "$D/rows.jsonl"
	cdetect -q -m "$D/m.db" -j - <"$D/rows.jsonl" >"$D/alarms"
	consumed rows | cdetect -q -m "$D/m.db" -j - | cmp - "$D/alarms"
	grep -q '"event.action":"raised"' "$D/alarms"
}

@test "a collector's own output, and alarms with quotes in them, arrive as they were" {
	made --seconds 60 --attack shell | grep cbtools.exec >"$D/exec.jsonl"
	cexecsnoop -r "$D/exec.jsonl" -j >"$D/rows"
	cexecsnoop -r "$D/exec.jsonl" -j | kcat -E -P -b "$B" -t rows
	consumed rows >"$D/back"
	# but for the time at which the first and the last row are made
	cmp <(jq -c 'select(.["event.kind"] == "event")' "$D/back") <(jq -c 'select(.["event.kind"] == "event")' "$D/rows")
	[ "$(wc -l <"$D/back")" = "$(wc -l <"$D/rows")" ]
}

@test "keyed: each container in one partition, in its order; names with quotes, numbers of 64 bits" {
	local p
	for n in 'a' 'b"c' 'd\\e' 'f	g' 'h'; do
		jq -nc --arg n "$n" 'range(101) | {"event.dataset": "cbtools.exec", "process.command_args": ["\"container.name\":\"evil\""],
			"container.name": $n, "event.count": ., "process.exec.id": "ID"}' | sed 's/"ID"/18446744073709551557/'
	done | shuf --random-source=<(yes) | sort -s -t: -k1,1 >"$D/rows"
	echo '{"event.kind":"schema"}' >>"$D/rows"
	keyed <"$D/rows" | kcat -E -P -b "$B" -t keyed -K '\t'
	[ "$(consumed keyed | wc -l)" = 506 ]
	cmp <(consumed keyed | sort) <(sort "$D/rows")
	for p in 0 1 2 3; do
		kcat -C -q -u -e -b "$B" -o beginning -t keyed -p $p -f "$p\t%k\t%s\n"
	done >"$D/parts"
	[ "$(cut -f 1,2 "$D/parts" | grep -v '	$' | sort -u | wc -l)" = 5 ]
	[ "$(cut -f 2 "$D/parts" | grep -c evil)" = 0 ]
	for n in 'a' 'b"c' 'h'; do
		cmp <(cut -f 3 "$D/parts" | jq -c --arg n "$n" 'select(.["container.name"] == $n) | .["event.count"]') \
			<(jq -c --arg n "$n" 'select(.["container.name"] == $n) | .["event.count"]' "$D/rows")
	done
}

arrived() {
	[ "$(consumed rows | wc -l)" = "$1" ]
}

@test "padded: an alarm does not wait for the next one" {
	mkfifo "$D/alarms"
	padded <"$D/alarms" | kcat -E -P -b "$B" -t rows -X enable.idempotence=true 3>&- 4>&- &
	local pid=$!
	exec 9>"$D/alarms"
	echo '{"event.dataset":"cbtools.alarm","alarm.id":1,"alarm.reason":"ä"}' >&9
	WAIT=10 wait_for arrived 1
	echo '{"event.dataset":"cbtools.alarm","alarm.id":2}' >&9
	WAIT=10 wait_for arrived 2
	exec 9>&-
	wait $pid
	[ "$(consumed rows | jq -c '.["alarm.id"]' | tr '\n' ' ')" = "1 2 " ]
}

@test "a broker that is not there: without -E kcat ends and says so, the tool ends quietly" {
	local port
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	made --seconds 20000 | grep cbtools.exec >"$D/rows.jsonl"
	run -0 bash -c "cexecsnoop -j -r '$D/rows.jsonl' 2>'$D/err' | kcat -P -b 127.0.0.1:$port -t rows; echo \${PIPESTATUS[@]}"
	[ ! -s "$D/err" ]
	[[ "$output" == *"brokers are down"* ]]
	[[ "${lines[-1]}" == "0 1" ]]
}
