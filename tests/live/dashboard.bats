bats_require_minimum_version 1.5.0
# What a user has who follows the pages: collectors write files, node-exporter shows them, Prometheus gathers them,
# the rules fire, the dashboard asks. All on loopback, on free ports, with data of their own.
load lib

setup() { require_tool promtool prometheus prometheus-node-exporter jq curl python3; live_setup; PIDS=(); }
teardown() {
	local pid
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
	done
	live_teardown
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

daemon() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 </dev/null 3>&- 4>&- &
	PIDS+=($!)
}

answers() {
	curl -sf -o /dev/null "$1"
}

# ask QUERY: its answer; fails when it is wrong or empty
ask() {
	local said
	said=$(promtool query instant "$URL" "$1" 2>&1) && [ -n "$said" ] && echo "$said"
}

# as Grafana fills its variables in
filled() {
	sed -E 's/\$__(rate_)?interval/1m/g; s/\$__range/1h/g; s/"\$(container|instance)"/".*"/g'
}

queries() {
	jq -r '[.. | objects | .targets[]?, .annotations?.list[]? | .expr // empty] | unique[]' "$1"
	jq -r '.templating.list[] | select(.type == "query") | .query | capture("^label_values\\((?<q>.*), *[a-z_]+\\)$").q' "$1"
}

stack_up() {
	local d=$BATS_TEST_TMPDIR exporter prometheus
	exporter=$(free_port) prometheus=$(free_port)
	mkdir -p "$d/prom" "$d/tsdb"
	cp "$CB_TOP/scripts/prometheus/rules.yml" "$d/rules.yml"
	cat >"$d/prometheus.yml" <<-Y
		global: {scrape_interval: 1s, evaluation_interval: 1s}
		rule_files: [rules.yml]
		scrape_configs:
		  - job_name: node
		    honor_labels: true
		    static_configs: [{targets: ["127.0.0.1:$exporter"]}]
	Y
	daemon "$d/exporter.log" prometheus-node-exporter --collector.disable-defaults --collector.textfile \
		--collector.textfile.directory="$d/prom" --web.listen-address="127.0.0.1:$exporter"
	daemon "$d/prometheus.log" prometheus --config.file="$d/prometheus.yml" --storage.tsdb.path="$d/tsdb" \
		--web.listen-address="127.0.0.1:$prometheus" --log.level=error
	URL=http://127.0.0.1:$prometheus EXPORTER=http://127.0.0.1:$exporter
	wait_for answers "$URL/-/ready"
	wait_for answers "$EXPORTER/metrics"
}

@test "rules: promtool checks them and runs their cases" {
	run -0 promtool check rules "$CB_TOP/scripts/prometheus/rules.yml"
	cp "$CB_TOP/scripts/prometheus/rules.yml" "$CB_TOP/tests/data/rules.test.yml" "$BATS_TEST_TMPDIR"
	run -0 promtool test rules "$BATS_TEST_TMPDIR/rules.test.yml"
	[[ "$output" == *SUCCESS* ]]
}

@test "every query of the dashboard has an answer from real collectors; an alarm fires" {
	local d=$BATS_TEST_TMPDIR s=$CB_TOP/tests/helpers/stream.py dash=$CB_TOP/scripts/grafana/overview.json id q n=0 t0
	require_bpf
	require_runc
	stack_up
	id=$(ctr_id seen)
	ctr_start seen sh -c 'while :; do cat /etc/passwd /no/such; sleep 0.2; done'
	collector_start "$d/exec" cexecsnoop -j --prometheus="$d/prom/cbtools-exec.prom"
	collector_start "$d/syscall" ctop-syscalls 1 -j --prometheus="$d/prom/cbtools-syscall.prom"
	collector_start "$d/resource" cresource 1 -j --prometheus="$d/prom/cbtools-resource.prom"
	# a made stream, moved so that its alarms are of the next half minute: fresh for every query
	python3 "$s" --seconds 1200 >"$d/normal.jsonl"
	ctrain -m "$d/m.db" --new "$d/normal.jsonl" >"$d/said"
	t0=$(date +%s)
	python3 "$s" --seconds 60 --seed 2 --attack shell memfd |
		jq -c --argjson t0 "$t0" '.["@timestamp"] |= ((.[0:19] + "Z" | fromdate) - 1766000000 + $t0 | todate | .[0:19]) + .[19:]' >"$d/attack.jsonl"
	cdetect -q -m "$d/m.db" -j --prometheus="$d/prom/cbtools-alarm.prom" "$d/attack.jsonl" >"$d/alarms.jsonl"
	# nothing that node-exporter could not read
	wait_for ask 'count(cbtools_alarm_events_total{container="web"}) and count(cbtools_resource_tasks{container="'"$id"'"})' >"$d/said"
	[ "$(curl -sf "$EXPORTER/metrics" | sed -n 's/^node_textfile_scrape_error //p')" = 0 ]
	# two scrapes of everything
	wait_for ask "rate(cbtools_syscall_count_total{container=\"$id\",syscall=\"openat\"}[1m]) > 0 and on() rate(cbtools_exec_events_total{container=\"$id\",action=\"start\"}[1m]) > 0" >"$d/said" ||
		wait_for ask "rate(cbtools_syscall_count_total{container=\"$id\",syscall=\"open\"}[1m]) > 0" >"$d/said"
	queries "$dash" | filled >"$d/queries"
	while IFS= read -r q; do
		WAIT=15 wait_for ask "$q" >"$d/said" || { fail "no answer: $q: $(promtool query instant "$URL" "$q" 2>&1)"; return 1; }
		n=$((n + 1))
	done <"$d/queries"
	[ $n -ge 25 ]
	! grep -q '\$' "$d/queries"
	# what the exporter shows of the container is what the collector told
	[[ "$(ask "cbtools_resource_memory_anon_bytes{container=\"$id\"}")" == *"runtime=\"runc\""* ]]
	wait_for ask 'ALERTS{alertname="ContainerBehavesUnusually",alertstate="firing",container="web"}' >"$d/said"
	# a variable of the dashboard that nothing defines would select nothing
	[ "$(jq -r '[.. | .expr? // empty | scan("\\$([a-z]+)")] | unique | .[][0]' "$dash" | sort | tr '\n' ' ')" = "container instance " ]
	[ "$(jq '[.panels[].id] | length - (unique | length)' "$dash")" = 0 ]
}
