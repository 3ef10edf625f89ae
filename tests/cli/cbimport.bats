# SPDX-License-Identifier: GPL-2.0
# cbimport: tests/data/strace.* are recordings of tests/helpers/traced.c, ADFA-LD is a made one.

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	DATA=tests/data
	T=$BATS_TEST_TMPDIR
}

imp() {
	scripts/cbimport "$@"
}

sum() {
	awk '{ n += $1 } END { print n + 0 }'
}

# rows FILE EXPRESSION [CONDITION]: of each event row r that has what they name; n(x, y): how often y comes in x
rows() {
	python3 - "$@" <<-'EOF'
	import json, sys
	n = lambda text, word: text.split().count(word)
	for line in open(sys.argv[1], encoding="utf-8"):
	    r = json.loads(line)
	    if r["event.kind"] == "event":
	        try:
	            if len(sys.argv) < 4 or eval(sys.argv[3]):
	                print(eval(sys.argv[2]))
	        except KeyError:
	            pass
	EOF
}

adfa_folder() {
	mkdir -p "$1"/{Training_Data_Master,Validation_Data_Master,Attack_Data_Master/Adduser_1}
	printf '6 3 4 174 340 ' > "$1/Training_Data_Master/UTD-0002.txt"
	printf '6 6 63 ' > "$1/Training_Data_Master/UTD-0001.txt"
	seq 1 300 | sed 's/.*/265/' | tr '\n' ' ' > "$1/Validation_Data_Master/UVD-0010.txt"
	printf '11 222 999\n' > "$1/Attack_Data_Master/Adduser_1/UAD-Adduser-1-7.txt"
	echo '#define __NR_read 3' > "$1/ADFA-LD+Syscall+List.txt"
}

@test "strace: to stderr, to a file and one file a process give the same streams" {
	imp strace $DATA/strace.err > "$T/err"
	imp strace $DATA/strace.file > "$T/file"
	imp strace $DATA/strace.ff.* > "$T/ff"
	what='(r["process.pid"] == r["process.thread.id"], r["syscall.first"], r["syscall.sequence"].replace("compat:", ""))'
	for f in err file ff; do
		rows "$T/$f" "$what" | sort > "$T/$f.calls"
		rows "$T/$f" '(r["process.name"], r["process.command_args"])' > "$T/$f.execs"
	done
	[ "$(wc -l < "$T/err.calls")" -eq 8 ]
	diff "$T/err.calls" "$T/file.calls"
	diff "$T/err.calls" "$T/ff.calls"
	[ "$(wc -l < "$T/err.execs")" -eq 3 ]
	diff "$T/err.execs" "$T/file.execs"
	diff "$T/err.execs" "$T/ff.execs"
}

@test "strace: every call is there, with its thread, program and exec" {
	imp strace $DATA/strace.err > "$T/err"
	main=$(rows "$T/err" 'r["process.pid"]' | head -1)
	cat > "$T/expected" <<-'EOF'
	getppid 156 traced
	getuid 8 traced
	getgid 22 traced
	compat:getpid 13 traced
	syscall_999 1 traced
	execve 3 traced
	EOF
	while read -r call count name; do
		got=$(rows "$T/err" "n(r['syscall.sequence'], '$call')" | sum)
		echo "$call: $got"
		[ "$got" -eq "$count" ]
	done < "$T/expected"
	# the thread's seven, under the number of the process
	[ "$(rows "$T/err" 'r["process.pid"]' \
		'r["process.thread.id"] != r["process.pid"] and n(r["syscall.sequence"], "getppid") == 7')" = "$main" ]
	# two chunks, numbered on, and the stream after the last exec
	[ "$(rows "$T/err" 'r["syscall.first"]' "r['process.pid'] == r['process.thread.id'] == $main" | paste -sd' ')" = "0 128 0" ]
	# the child knows its parent and the program it shares until its exec
	rows "$T/err" '(r["process.parent_pid"], r["process.exec.id"])' 'n(r["syscall.sequence"], "getuid") == 5' > "$T/child"
	rows "$T/err" '(r["process.pid"], r["process.exec.id"])' '"process.command_args" in r' | head -1 > "$T/parent"
	diff "$T/child" "$T/parent"
	# a new stream after each exec, also after the one by a thread that is not the first
	[ "$(rows "$T/err" 'r["process.exec.id"]' | sort -u | wc -l)" -eq 3 ]
	[ "$(rows "$T/err" 'r["syscall.first"]' 'n(r["syscall.sequence"], "getgid") == 11' | paste -sd' ')" = "0 0" ]
}

@test "strace: arguments are escaped, nothing longer than a pipe takes in one write" {
	imp strace $DATA/strace.err > "$T/err"
	[ "$(rows "$T/err" 'r["process.command_args"]' | sed -n 2p)" = "traced a\\x20b '' c\\x0a\\x1b[31m\\\\ \\xff\\xe2\\x80\\xae''" ]
	{
		printf '7 1700000000.000001 execve("/%s", ["x"' "$(printf '\\33%.0s' {1..400})"
		for i in {1..300}; do printf ', "\\"\\\\ %s\\1"' $i; done
		printf ', ...], 0x7ffd /* 1 var */) = 0\n'
		for i in {1..300}; do printf '7 1700000001.%06d sched_get_priority_max(1) = 1\n' $i; done
		echo '7 1700000002.000000 +++ exited with 0 +++'
	} > "$T/long"
	for o in json csv; do
		imp strace -o $o "$T/long" > "$T/long.$o"
		[ "$(LC_ALL=C awk '{ if (length > m) m = length } END { print m }' "$T/long.$o")" -lt 4095 ]
		! LC_ALL=C grep -q '[^ -~]' "$T/long.$o"
	done
	[ "$(rows "$T/long.json" "r['event.truncated']")" = True ]
	[ "$(rows "$T/long.json" "len(r['syscall.sequence'].split())" | sum)" -eq 300 ]
}

@test "strace: a garbled line is told, skipped and leaves a gap, the rest is there" {
	sed -e '200s/ = .*//' -e '201i\
	half a line of something else' -e '$d' $DATA/strace.file > "$T/bad"
	printf '%s' "$(tail -1 $DATA/strace.file | cut -c1-25)" >> "$T/bad"
	run imp strace "$T/bad"
	[ "$status" -eq 1 ]
	echo "$output" | grep '^cbimport: '
	[ "$(echo "$output" | grep -c '^cbimport: ')" -eq 2 ]
	echo "$output" | grep -q '^cbimport: .*/bad:200: expected CALL(ARGUMENTS) = RESULT, got "'
	imp strace "$T/bad" > "$T/rows" 2> /dev/null || true
	imp strace $DATA/strace.file > "$T/good"
	calls() { rows "$1" "len(r['syscall.sequence'].split())" | sum; }
	[ "$(calls "$T/rows")" -eq $(($(calls "$T/good") - 1)) ]
	[ "$(rows "$T/rows" "r['event.lost']" | grep -c 1)" -eq 1 ]
	[ "$(tail -2 "$T/rows" | grep -c '"event.lost":1,')" -eq 1 ]
}

@test "strace: what is missing in the options of strace is said" {
	sed 's/^\([0-9]*  *\)[0-9]*\./\112:34:56./' $DATA/strace.file > "$T/tt"
	run imp strace "$T/tt"
	[ "$status" -eq 1 ]
	[[ "$output" == *'tt:1: expected seconds since 1970 (strace -ttt), got "'* ]]
	# not a thousand lines of it
	[ "$(echo "$output" | grep -c '^cbimport: ')" -eq 21 ]
	run imp strace /bin/true
	[ "$status" -eq 1 ]
	[[ "$output" == *'true:1: expected a line of strace -f -ttt, got "\x7fELF'* ]]
}

@test "strace: a process that was attached to has the program given" {
	imp strace --exe=/usr/bin/server --container=web --image=nginx $DATA/strace.attached > "$T/rows"
	[ "$(rows "$T/rows" "(r['process.executable.path'], r['container.name'], r['container.image.name'])" | sort | uniq -c |
		sort -rn | awk 'NR == 1 { $1 = ""; print }')" = " ('/usr/bin/server', 'web', 'nginx')" ]
	# what it starts has its own
	rows "$T/rows" "(r['process.executable.path'], r['process.parent.name'], r['process.command_args'])" |
		grep -qF "('/bin/true', 'server', '/bin/true')"
}

@test "strace: lines carry no number until strace has met the child" {
	cat > "$T/log" <<-'EOF'
	1795536933.533000 execve("/bin/server", ["server"], 0x7ffc /* 0 vars */) = 0
	1795536933.534009 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0xdf5a690) = 12521
	1795536933.534135 wait4(-1, strace: Process 12521 attached
	 <unfinished ...>
	[pid 12521] 1795536933.534409 getuid()  = 0
	[pid 12521] 1795536933.534500 exit_group(0) = ?
	[pid 12521] 1795536933.534600 +++ exited with 0 +++
	1795536933.534700 <... wait4 resumed>NULL, 0, NULL) = 12521
	1795536933.534800 exit_group(0) = ?
	1795536933.534900 +++ exited with 0 +++
	EOF
	imp strace "$T/log" > "$T/rows"
	rows "$T/rows" '(r["process.pid"], r["syscall.sequence"])' > "$T/got"
	diff "$T/got" - <<-'EOF'
	(12521, 'getuid exit_group')
	(1, 'clone wait4 exit_group')
	EOF
}

@test "strace: live, every call of a program with threads and children" {
	command -v strace || skip "no strace"
	traced=$(ls "${O:-build}/tests/helpers/traced") || skip "tests/helpers/traced is not built"
	strace -f -ttt -o "$T/log" true || skip "strace cannot trace here"
	local compat=13
	strace -f -ttt "$traced" 2>&1 > "$T/said" | imp strace - > "$T/rows"
	! grep -q 'no 32-bit calls' "$T/said" || compat=0
	[ "$(rows "$T/rows" "n(r['syscall.sequence'], 'getppid')" | sum)" -eq 156 ]
	[ "$(rows "$T/rows" "n(r['syscall.sequence'], 'compat:getpid')" | sum)" -eq $compat ]
	[ "$(rows "$T/rows" 'r["process.command_args"]' | wc -l)" -eq 3 ]
}

@test "CSV and JSON say the same" {
	imp strace $DATA/strace.err > "$T/json"
	imp strace -o csv $DATA/strace.err > "$T/csv"
	python3 - "$T/json" "$T/csv" <<-'EOF'
	import csv, json, sys
	as_json = [json.loads(l) for l in open(sys.argv[1], encoding="utf-8")]
	as_json = [{k: str(v) for k, v in r.items()} for r in as_json if r["event.kind"] != "schema"]
	as_csv = [{k: v for k, v in r.items() if v} for r in csv.DictReader(open(sys.argv[2], encoding="utf-8", newline=""))]
	assert as_json == as_csv
	EOF
}

@test "a stream begins with its schema and ends with its totals" {
	imp strace $DATA/strace.err > "$T/rows"
	head -1 "$T/rows" | grep -q '"schema.version":1,"schema.fields":\[{"name":"event.dataset","type":"str","role":"none"},'
	head -1 "$T/rows" | grep -q ',{"name":"syscall.sequence","type":"syscalls","role":"seq"}\]}$'
	[ "$(head -2 "$T/rows" | grep -c '"event.kind":"schema"')" -eq 2 ]
	[ "$(tail -2 "$T/rows" | grep -c '"event.kind":"end"')" -eq 2 ]
	tail -2 "$T/rows" | grep 'cbtools.sequence' | grep -q '"event.lost":0,"event.seen":8,"event.sent":8,"event.filtered":0,"event.recursion_misses":0'
	: > "$T/empty"
	[ "$(imp strace "$T/empty" | grep -c '"event.kind":"end"')" -eq 2 ]
}

@test "types and roles are those of the collectors" {
	imp strace $DATA/strace.err > "$T/rows"
	for t in "ctop-syscalls -S" cexecsnoop; do
		[ -x "${O:-build}/${t%% *}" ] || skip "$t is not built"
		${O:-build}/$t -j -r "$T/rows" > "$T/theirs"
		python3 - "$T/rows" "$T/theirs" <<-'EOF'
		import json, sys
		theirs = json.loads(open(sys.argv[2]).readline())
		ours = [json.loads(l) for l in open(sys.argv[1])]
		ours = next(r for r in ours if r["event.kind"] == "schema" and r["event.dataset"] == theirs["event.dataset"])
		assert ours["schema.version"] == theirs["schema.version"]
		known = {f["name"]: f for f in theirs["schema.fields"]}
		for f in ours["schema.fields"]:
		    assert known[f["name"]] == f, f
		EOF
	done
}

@test "strace: calls have the classes that the collectors give them" {
	cat > "$T/log" <<-'EOF'
	7 1700000000.000001 execve("/bin/server", ["server"], 0x7ffc /* 0 vars */) = 0
	7 1700000000.000002 socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 3
	7 1700000000.000003 socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) = -1 EPERM (Operation not permitted)
	7 1700000000.000004 mmap(NULL, 4096, PROT_READ|PROT_WRITE|PROT_EXEC, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000
	7 1700000000.000005 mmap(NULL, 4096, PROT_READ|PROT_EXEC, MAP_PRIVATE, 3, 0) = 0x7f0000000000
	7 1700000000.000006 mprotect(0x7f0000000000, 4096, PROT_READ|PROT_EXEC <unfinished ...>
	7 1700000000.000007 <... mprotect resumed>) = 0
	7 1700000000.000008 mount("MS_MOVE", "/mnt", "MS_REMOUNT", MS_RDONLY|MS_BIND, NULL) = 0
	7 1700000000.000009 ptrace(PTRACE_ATTACH, 12) = -1 EPERM (Operation not permitted)
	7 1700000000.000010 socket(0x29 /* AF_??? */, SOCK_STREAM, 0) = -1 EAFNOSUPPORT (Address family not supported by protocol)
	EOF
	imp strace "$T/log" > "$T/rows"
	[ "$(rows "$T/rows" 'r["syscall.sequence"]')" = \
		"socket:inet6 socket:raw mmap:wx mmap mprotect:x mount:bind ptrace:attach socket" ]
	sed -n 's/^\t{ "[a-z0-9_]*", .* "\([a-z0-9_]*:[a-z0-9_]*\)"\(, 1\)\? },$/\1/p' bpf/argclass.h > "$T/theirs"
	[ "$(wc -l < "$T/theirs")" -gt 40 ]
	sed -n '/^ARGCLASSES/,/^"""$/s/^\([a-z0-9_]*:[a-z0-9_]*\) .*/\1/p' scripts/cbimport | diff - "$T/theirs"
}

@test "adfa: numbers become names, a trace a process, in order" {
	adfa_folder "$T/ADFA-LD"
	imp adfa "$T/ADFA-LD" > "$T/rows"
	rows "$T/rows" "(r['process.name'], r['process.executable.path'], r['syscall.first'], r['syscall.sequence'][:40])" > "$T/got"
	cat > "$T/expected" <<-'EOF'
	('UTD-0001', '/adfa-ld', 0, 'close close dup2')
	('UTD-0002', '/adfa-ld', 0, 'close read write rt_sigaction prlimit64')
	('UVD-0010', '/adfa-ld', 0, 'clock_gettime clock_gettime clock_gettim')
	('UVD-0010', '/adfa-ld', 128, 'clock_gettime clock_gettime clock_gettim')
	('UVD-0010', '/adfa-ld', 256, 'clock_gettime clock_gettime clock_gettim')
	('UAD-Adduser-1-7', '/adfa-ld', 0, 'execve syscall_222 syscall_999')
	EOF
	diff "$T/got" "$T/expected"
	[ "$(rows "$T/rows" 'r["process.pid"]' | uniq | wc -l)" -eq 4 ]
	[ "$(rows "$T/rows" 'r["process.exec.id"]' | uniq | wc -l)" -eq 4 ]
	rows "$T/rows" 'r["@timestamp"]' | sort -c
}

@test "adfa: archive and folder give the same, a split only its own" {
	adfa_folder "$T/ADFA-LD"
	python3 -m zipfile -c "$T/adfa.zip" "$T/ADFA-LD"
	imp adfa "$T/ADFA-LD" > "$T/folder"
	imp adfa "$T/adfa.zip" > "$T/zip"
	cmp "$T/folder" "$T/zip"
	[ "$(rows <(imp adfa --split=train "$T/adfa.zip") 'r["process.name"]' | paste -sd' ')" = "UTD-0001 UTD-0002" ]
	[ "$(rows <(imp adfa --split=validation "$T/adfa.zip") 'r["process.name"]' | uniq)" = UVD-0010 ]
	[ "$(rows <(imp adfa --split=attack "$T/adfa.zip") 'r["process.name"]')" = UAD-Adduser-1-7 ]
	# each the same as among all
	for s in train validation attack; do
		imp adfa --split=$s "$T/adfa.zip"
	done | grep '"event.kind":"event"' | diff - <(grep '"event.kind":"event"' "$T/zip")
}

@test "adfa: what is no call number is told and leaves a gap" {
	adfa_folder "$T/ADFA-LD"
	printf '6 6\n3 x\x1b[31my 4 123456\n' > "$T/ADFA-LD/Training_Data_Master/UTD-0001.txt"
	run imp adfa --split=train "$T/ADFA-LD"
	[ "$status" -eq 1 ]
	[[ "$output" == *'UTD-0001.txt:2: expected a system call number, got "x\x1b[31my"'* ]]
	[[ "$output" == *'UTD-0001.txt:2: expected a system call number, got "123456"'* ]]
	[[ "$output" == *'"event.lost":1,"syscall.first":4,"syscall.sequence":"write"'* ]]
	[[ "$output" == *'"process.name":"UTD-0002"'* ]]
}

@test "adfa: the table of calls is the kernel's" {
	header=$(ls /usr/include/*/asm/unistd_32.h /usr/include/asm/unistd_32.h 2> /dev/null | head -1)
	[ -n "$header" ] || skip "no asm/unistd_32.h"
	mkdir "$T/a"
	seq 0 449 | tr '\n' ' ' > "$T/a/UTD-0001.txt"
	rows <(imp adfa "$T/a") 'r["syscall.sequence"].replace(" ", "\n")' > "$T/names"
	awk '$1 == "#define" && sub("__NR_", "", $2) && $3 < 450 { name[$3] = $2 }
		END { for (i = 0; i < 450; i++) print i in name ? name[i] : "syscall_" i }' "$header" | diff - "$T/names"
}

@test "bad use: usage is 64, a file that is not there 1, the others are read" {
	run imp
	[ "$status" -eq 64 ]
	run imp adfa --split=most x
	[ "$status" -eq 64 ]
	run imp strace
	[ "$status" -eq 64 ]
	run imp --help
	[ "$status" -eq 0 ]
	run imp strace "$T/none" $DATA/strace.err
	[ "$status" -eq 1 ]
	[[ "$output" == *"cbimport: $T/none: No such file or directory"* ]]
	[[ "$output" == *'"event.seen":8,'* ]]
	run imp adfa $DATA
	[ "$status" -eq 1 ]
	[[ "$output" == *"expected traces named UTD-*.txt, UVD-*.txt or UAD-*.txt, found none"* ]]
	head -c 100 /dev/urandom > "$T/UTD-1.zip"
	run imp adfa "$T/UTD-1.zip"
	[ "$status" -eq 1 ]
}

@test "a closed pipe ends quietly, a full disk does not" {
	run bash -c "for i in {1..99}; do cat $DATA/strace.file; done | scripts/cbimport strace - | head -1 | wc -l"
	[ "$output" = 1 ]
	run bash -c "scripts/cbimport strace $DATA/strace.file > /dev/full"
	[ "$status" -eq 1 ]
	[ "$output" = "cbimport: standard output: No space left on device" ]
}
