bats_require_minimum_version 1.5.0
# make install: every program, page and file is there and works from there, with no tree around it.
load ../live/lib

setup() {
	# the build that is tested is installed as it is, whatever it was built with
	make -s -C "$CB_TOP" O="$O" -o all install DESTDIR="$BATS_TEST_TMPDIR" prefix=/opt/cb
	TO=$BATS_TEST_TMPDIR/opt/cb
	# nothing of the build or the tree
	PATH=$TO/bin:$TO/sbin:/usr/sbin:/usr/bin:/sbin:/bin
	cd /
}

# the programs that users have: of tools/, and the scripts with a page
programs() {
	local f
	for f in "$CB_TOP"/tools/*.c; do
		basename "$f" .c
	done
	for f in "$CB_TOP"/scripts/* "$CB_TOP"/scripts/cron/*; do
		[ ! -e "$CB_TOP/man/${f##*/}.8.in" ] || echo "${f##*/}"
	done
}

@test "every program is installed and says its version; so is its page" {
	local p n=0
	for p in $(programs); do
		[ "$(command -v "$p")" = "$TO/bin/$p" ] || [ "$(command -v "$p")" = "$TO/sbin/$p" ] ||
			fail "$p is not installed"
		run -0 --separate-stderr "$p" --version
		[ "$output" = "cbtools $(sed -n 's/^VERSION := //p' "$CB_TOP/Makefile")" ] || fail "$p: $output"
		[ -s "$TO/share/man/man8/$p.8" ] || fail "no page of $p"
		n=$((n + 1))
	done
	[ "$(find "$TO/bin" "$TO/sbin" -type f -perm 755 | wc -l)" = $n ]
	[ "$(find "$TO/share/man" -type f | wc -l)" = "$(find "$CB_TOP/man" -name '*.in' | wc -l)" ]
}

@test "what is not for users stays in the tree" {
	local p
	for p in new-tool bootstrap demo mkman mkschemas mkroot; do
		[ -z "$(find "$BATS_TEST_TMPDIR" -name "$p")" ]
	done
	[ -z "$(find "$BATS_TEST_TMPDIR" -path "$TO" -prune -o -type f -print)" ]
}

@test "dashboard, rules, line for cron" {
	cmp "$CB_TOP/scripts/grafana/overview.json" "$TO/share/cbtools/grafana/overview.json"
	cmp "$CB_TOP/scripts/prometheus/rules.yml" "$TO/share/cbtools/prometheus/rules.yml"
	[[ "$(cat "$TO/share/cbtools/cron/cbtools")" == *" root "*" /opt/cb/sbin/cbtools-daily" ]]
}

@test "learning, judging, report, plot, import work from there" {
	require_tool python3 gnuplot
	local d=$BATS_TEST_TMPDIR/work
	mkdir "$d"
	python3 "$CB_TOP/tests/helpers/stream.py" --seconds 600 >"$d/normal.jsonl"
	ctrain -q -m "$d/m.db" "$d/normal.jsonl" >/dev/null
	cmodel show "$d/m.db" | grep -q .
	cdetect -q -m "$d/m.db" -j "$d/normal.jsonl" >"$d/alarms.jsonl"
	creport -m "$d/m.db" "$d/normal.jsonl" "$d/alarms.jsonl" | grep -q '<style>'
	cbplot "$d/normal.jsonl" event.count | grep -q '<svg'
	cbimport strace "$CB_TOP/tests/data/strace.file" | grep -q cbtools.sequence
	[ -z "$(find "$TO" -name __pycache__)" ]
}

@test "cbrecord and cbwatch find the collectors that were installed" {
	require_bpf
	local d=$BATS_TEST_TMPDIR/rec t
	run -0 --separate-stderr timeout 60 cbrecord -d 100ms "$d"
	for t in exec sequence; do
		[ -n "$(find "$d" -name "$t-*.jsonl.zst")" ] || fail "no recording of $t: $stderr"
	done
}
