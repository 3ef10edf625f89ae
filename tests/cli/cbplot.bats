bats_require_minimum_version 1.5.0
# Pictures of numbers: every numeric field of every data type, right to the unit, whatever a container is called.
load ../live/lib

setup() {
	require_tool python3 gnuplot
	D=$BATS_TEST_TMPDIR
	PATH=$CB_TOP/scripts:$PATH
}

# 67 intervals of 10 s: 5 s of CPU and 3 MB each in web, less in db; the schema row as cresource writes it
resource_rows() {
	jq -nc '{"event.dataset": "cbtools.resource", "event.kind": "schema", "schema.fields": [
		{"name": "container.cpu.time_ns", "type": "duration", "role": "rate"},
		{"name": "container.memory.usage_bytes", "type": "bytes", "role": "level"}]}'
	jq -nc 'def at($s): 1795500000 + $s | todate | .[0:19] + ".000000000Z";
		range(67) as $i | (["web", 5e9, 3e6], ["d'"'"'b`id`@x", 1e9, 1e6]) as [$name, $cpu, $memory] |
		{"event.dataset": "cbtools.resource", "event.kind": "event", "@timestamp": at($i * 10 + 10),
		 "event.start": at($i * 10), "event.end": at($i * 10 + 10), "container.name": $name,
		 "container.cpu.time_ns": $cpu, "container.memory.usage_bytes": $memory}'
}

svg_ok() {
	python3 -c 'import sys, xml.dom.minidom as m; d = m.parse(sys.argv[1]); assert d.documentElement.tagName == "svg"' "$1"
}

# the highest number on the axis
top_tic() {
	python3 -c 'import re, sys; print(max(float(x) for x in re.findall(r"<text>\s*([0-9.]+)</text>", open(sys.argv[1]).read())))' "$1"
}

@test "a rate is drawn a second, a level as it is, in seconds and megabytes; SVG and PNG" {
	resource_rows >"$D/r.jsonl"
	cbplot "$D/r.jsonl" container.cpu.time_ns >"$D/cpu.svg"
	svg_ok "$D/cpu.svg"
	grep -q 'container.cpu.time, s a second' "$D/cpu.svg"
	[ "$(top_tic "$D/cpu.svg")" = 0.5 ]
	cbplot -o "$D/memory.svg" "$D/r.jsonl" container.memory.usage_bytes
	[ "$(top_tic "$D/memory.svg")" = 3.0 ]
	grep -q 'container.memory.usage_bytes, MB<' "$D/memory.svg"
	cbplot -o "$D/both.png" --width=700 "$D/r.jsonl" container.cpu.time_ns container.memory.usage_bytes
	[ "$(head -c 24 "$D/both.png" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a0000000d49484452000002bc00000208 ]
	cbplot --png <"$D/r.jsonl" - container.cpu.time_ns | head -c 4 | grep -q PNG
}

@test "alarms are marked; names are text and nothing else; one container can be chosen" {
	resource_rows >"$D/r.jsonl"
	jq -nc '[17, 100], [18, 103], [19, 400] | {"event.dataset": "cbtools.alarm", "event.kind": "event", "event.action": "raised", "container.name": "web",
		"alarm.id": .[0], "@timestamp": (1795500000 + .[1] | todate | .[0:19] + ".5Z")}' >"$D/alarms.jsonl"
	cbplot --alarms "$D/alarms.jsonl" "$D/r.jsonl" container.cpu.time_ns >"$D/a.svg"
	svg_ok "$D/a.svg"
	grep -q '▲17–18' "$D/a.svg"
	grep -q '▲19' "$D/a.svg"
	grep -q 'd’b‘id‘＠x' "$D/a.svg"
	! grep -q 'uid=' "$D/a.svg"
	cbplot -c web "$D/r.jsonl" container.cpu.time_ns >"$D/web.svg"
	! grep -q 'd’b' "$D/web.svg"
}

@test "every numeric field of every data type can be drawn, from JSON and from CSV" {
	local s names ds
	python3 "$CB_TOP/tests/helpers/stream.py" --seconds 60 --odd >"$D/r.jsonl"
	cbplot "$D/r.jsonl" syscall.first event.count process.pid >"$D/x.svg"
	svg_ok "$D/x.svg"
	grep -q 'sequence: event.count a second\|event.count a second' "$D/x.svg"
	python3 "$CB_TOP/tests/helpers/stream.py" --seconds 60 --csv >"$D/r.csv"
	cbplot "$D/r.csv" syscall.first >"$D/x.svg"
	svg_ok "$D/x.svg"
	# of each collector, a row made of its own schema
	for s in "$CB_TOP"/tests/golden/schema-*.txt; do
		ds=$(basename "$s" .txt)
		ds=${ds#schema-}
		[ "$ds" != common ] || continue
		names=$(awk '$0 ~ /(^|[ \t])(uint|int|float|duration|bytes)([ \t]|$)/ {print $1}' "$s" | grep '\.' | sort -u)
		[ -n "$names" ] || continue
		for t in 1 2 3; do
			jq -nc --arg ds "$ds" --argjson t $t '{"event.dataset": ("cbtools." + $ds), "event.kind": "event", "container.name": "web",
				"@timestamp": ("2026-11-24T06:00:0" + ($t | tostring) + "Z")} + ($ARGS.positional | map({(.): ($t * 7)}) | add)' --args $names
		done >"$D/row.jsonl"
		cbplot "$D/row.jsonl" $names >"$D/x.svg"
		svg_ok "$D/x.svg"
	done
}

@test "usage and errors: one line" {
	resource_rows >"$D/r.jsonl"
	run -64 --separate-stderr cbplot
	[[ "${stderr_lines[0]}" == "cbplot: "* ]]
	run -64 --separate-stderr cbplot "$D/r.jsonl"
	[[ "${stderr_lines[0]}" == "cbplot: expected at least one recording and one field, got no field" ]]
	run -64 --separate-stderr cbplot -o x.gif "$D/r.jsonl" event.count
	[[ "${stderr_lines[0]}" == *'got "x.gif"' ]]
	run -1 --separate-stderr cbplot "$D/r.jsonl" container.cpu.time
	[[ "$stderr" == 'cbplot: expected a field with numbers in these recordings, got "container.cpu.time"; perhaps container.cpu.time_ns' ]]
	run -1 --separate-stderr cbplot "$D/no/r.jsonl" event.count
	[[ "$stderr" == "cbplot: $D/no/r.jsonl: No such file or directory" ]]
}
