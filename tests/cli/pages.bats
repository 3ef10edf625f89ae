bats_require_minimum_version 1.5.0
# Words over all programs, whichever there are: options, pages, wrong use, and the examples of pages and README.
# (Those of the collectors' pages are run by collectors.bats.)
load ../live/lib

setup() {
	local f
	D=$BATS_TEST_TMPDIR
	PATH=$CB_TOP/scripts:$CB_TOP/scripts/cron:$PATH
	TOOLS=$(for f in "$CB_TOP"/tools/*.c; do basename "$f" .c; done)
	SCRIPTS=$(for f in "$CB_TOP"/scripts/* "$CB_TOP"/scripts/cron/*; do
		[ ! -e "$CB_TOP/man/${f##*/}.8.in" ] || echo "${f##*/}"
	done)
}

long_options() {
	# cbimport has verbs with options of their own
	{ "$1" --help; [ "$1" != cbimport ] || { cbimport strace --help; cbimport adfa --help; }; } |
		grep -o -- '^ *\(-.\( [A-Z]*\)\?, \)\? *--[a-z-]*' | grep -o -- '--[a-z-]*' | sort -u
}

@test "every program has a page that tells of every option and has no faults" {
	local p o n
	for p in $TOOLS $SCRIPTS; do
		[ -s "$O/man/$p.8" ] || fail "no page of $p"
		n=0
		for o in $(long_options "$p"); do
			grep -q -- "$(sed 's/-/\\\\-/g' <<<"$o")\>" "$O/man/$p.8" || fail "$p.8 does not tell of $o"
			n=$((n + 1))
		done
		[ "$p" = cbtools-daily ] || [ $n -ge 3 ] || fail "$p: $n options"
	done
	for p in "$O"/man/*; do
		run -0 mandoc -T lint -W warning "$p"
	done
}

@test "pages have no hand-kept list of the options of a program in C" {
	local p
	for p in $TOOLS; do
		grep -qx '@DUMP@' "$CB_TOP/man/$p.8.in" || fail "$p.8.in"
		! grep -q '^\.SH OPTIONS' "$CB_TOP/man/$p.8.in" || fail "$p.8.in"
	done
}

@test "pages refer to pages that exist" {
	local f name
	for f in "$O"/man/*; do
		while read -r name; do
			[ -e "$O/man/$name" ] || man -w "${name##*.}" "${name%.*}" >/dev/null 2>&1 || case $name in
			c[a-z]*.8 | cbtools*) fail "${f##*/} refers to $name" ;;
			esac
		done < <(sed 's/\\-/-/g' "$f" | sed -n 's/^\.BR \([a-z][a-z-]*\) (\([0-9]\)).*/\1.\2/p')
	done
}

@test "--help, --usage, --version" {
	local p version
	version="cbtools $(sed -n 's/^VERSION := //p' "$CB_TOP/Makefile")"
	for p in $TOOLS $SCRIPTS; do
		run -0 --separate-stderr "$p" --help
		[[ "${output,,}" == *usage* ]]
		[ -z "$stderr" ]
		run -0 --separate-stderr "$p" --version
		[ "$output" = "$version" ] || fail "$p: $output"
		[ -z "$stderr" ]
	done
	for p in $TOOLS; do
		run -0 --separate-stderr "$p" --usage
		[[ "$output" == "Usage: $p "* ]]
		[ -z "$stderr" ]
	done
}

@test "--help fits a screen of 80 columns, and the examples in it stand in lines" {
	local p line
	for p in $TOOLS; do
		while IFS= read -r line; do
			[ ${#line} -lt 80 ] || fail "$p: $line"
		done < <("$p" --help)
		while IFS= read -r line; do
			"$p" --help | grep -qxF -- "$line" || fail "$p --help breaks: $line"
		done < <(examples "$O/man/$p.8")
	done
}

@test "wrong use: what was wrong, how to get help, 64" {
	local p
	for p in $TOOLS $SCRIPTS; do
		run -64 --separate-stderr "$p" --nosuch
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" = 2 ] || fail "$p: $stderr"
		[[ "${stderr_lines[0]}" == "$p: "* || "${stderr_lines[0]}" == */"$p: "* ]] || fail "$p: $stderr"
		[[ "${stderr_lines[1]}" == "Try \`"*"--help'"* ]] || fail "$p: $stderr"
	done
}

@test "README names every program" {
	local p
	for p in $TOOLS $SCRIPTS; do
		grep -q "^| \`$p\` | ." "$CB_TOP/README.md" || fail "$p"
	done
	! grep -n '@[A-Z]*@' "$CB_TOP/README.md"
	# and no other
	while read -r p; do
		[[ " "$TOOLS" "$SCRIPTS" " == *[[:space:]]"$p"[[:space:]]* ]] || fail "README names $p"
	done < <(sed -n 's/^| `\([a-z-]*\)` | .*/\1/p' "$CB_TOP/README.md")
}

@test "files and targets that README names exist" {
	local f
	for f in $(grep -o '`\(scripts\|tests\|bpf\|lib\|man\)/[a-z/._-]*`' "$CB_TOP/README.md" | tr -d '`'); do
		[ -e "$CB_TOP/$f" ] || fail "$f"
	done
	for f in $(grep -o 'make [a-z][a-z-]*' "$CB_TOP/README.md" | sed 's/make //' | sort -u); do
		make -C "$CB_TOP" O="$O" -n "$f" ADFA=x >/dev/null 2>&1 || fail "make $f"
	done
}

# the lines of EXAMPLES
examples() {
	sed -n '/^\.SH EXAMPLES/,/^\.fi/p' "$1" | grep -v '^\.' | sed 's/\\-/-/g; s/\\e/\\/g; s/\\(aq/'\''/g'
}

# What examples work on: $D/rec, web.db, alarms.jsonl, ... and collectors that print a recording instead of what
# happens on this machine.
make_place() {
	local t
	cd "$D"
	mkdir rec bin
	made --seconds 600 >rec/exec.jsonl
	jq -nc '{"event.dataset": "cbtools.resource", "event.kind": "schema", "schema.fields": [
		{"name": "container.cpu.time_ns", "type": "duration", "role": "rate"}]},
		(range(67) as $i | {"event.dataset": "cbtools.resource", "event.kind": "event", "container.name": "web",
		"@timestamp": (1795500000 + $i | todate | .[0:19] + ".000000000Z"), "container.cpu.time_ns": 1000003,
		"container.memory.usage_bytes": 3000017, "container.network.rx_bytes": 1009})' >rec/resource.jsonl
	ctrain -q -m web.db rec/exec.jsonl >/dev/null
	cp web.db new.db
	made --seed 3 --from 2000 --attack shell memfd args packet wx | cdetect -q -j -m web.db >alarms.jsonl
	zstd -q rec/exec.jsonl -o a.jsonl.zst
	cp rec/exec.jsonl seen.jsonl
	cp "$CB_TOP/tests/data/strace.file" web.log
	mkdir -p ADFA-LD/Training_Data_Master
	echo 6 6 63 6 42 120 6 195 >ADFA-LD/Training_Data_Master/UTD-0001.txt
	python3 -m zipfile -c adfa-ld.zip ADFA-LD
	for t in cexecsnoop ctop-syscalls cresource; do
		case $t in cresource) set -- rec/resource.jsonl ;; *) set -- rec/exec.jsonl ;; esac
		printf '#!/bin/sh\nexec "%s" "$@" -r "%s"\n' "$O/$t" "$D/$1" >bin/$t
	done
	chmod 755 bin/*
	PATH=$D/bin:$PATH
}

made() {
	python3 "$CB_TOP/tests/helpers/stream.py" --container web --image web "$@"
}

@test "every example of the pages that are no collector's" {
	require_tool python3 jq gnuplot zstd
	local p line n=0
	make_place
	for p in cdetect cmodel creport cbplot cbimport ctrain; do
		examples "$O/man/$p.8" | sed 's/   *.*//' | grep "\<$p\>" >lines
		[ -s lines ] || fail "$p.8 has no example"
		while IFS= read -r line; do
			run timeout 60 bash -c "set -o pipefail; $line" </dev/null
			[ "$status" = 0 ] || fail "$line: $status: $output"
			n=$((n + 1))
		done <lines
	done
	[ $n -ge 10 ]
}

@test "every example of cbrecord and cbwatch" {
	require_bpf
	local p line
	make_place
	for p in cbrecord cbwatch; do
		printf '#!/bin/sh\nexec "%s" "$@" -d 300ms\n' "$O/$p" >"bin/$p"
		chmod 755 "bin/$p"
		examples "$O/man/$p.8" | sed "s/   *.*//; s|/var/lib/cbtools|$D/var|" | grep "^$p" >lines
		[ -s lines ] || fail "$p.8 has no example"
		mkdir -p var
		while IFS= read -r line; do
			run timeout 60 bash -c "$line" </dev/null
			[ "$status" = 0 ] || fail "$line: $status: $output"
		done <lines
	done
}

@test "every command of README's tour" {
	require_bpf
	require_tool python3 jq gnuplot zstd
	local p line n=0
	make_place
	mkdir -p var textfile
	# the collectors are those of this machine here, and end
	for p in $TOOLS; do
		case $p in
		ctrain | cdetect | cmodel) continue ;;
		cbrecord | cbwatch) set -- -d 300ms ;;
		*) grep -q cb_main "$CB_TOP/tools/$p.c" && set -- -d 300ms ;;
		esac
		printf '#!/bin/sh\nexec "%s" "$@" %s\n' "$O/$p" "$*" >"bin/$p"
		chmod 755 "bin/$p"
	done
	sed -n 's/^    # //p' "$CB_TOP/README.md" | sed "s|/var/lib/cbtools/rec|rec|g; s|/var/lib/prometheus/node-exporter|textfile|g" |
		grep -v '^\(kcat\|install\) \|| kcat' >lines # Kafka: kafka.bats
	while IFS= read -r line; do
		run timeout 60 bash -c "set -o pipefail; $line" </dev/null
		[ "$status" = 0 ] || fail "$line: $status: $output"
		n=$((n + 1))
	done <lines
	[ $n -ge 12 ]
	[ -s report.html ] && [ -s cpu.svg ] && [ -s textfile/cbtools-resource.prom ] && [ -s textfile/cbtools-alarm.prom ]
}
