# SPDX-License-Identifier: GPL-2.0
# cdetect --scores against the definition of the scores (tests/helpers/reference.py).

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	B=${O:-build}
	T=$BATS_TEST_TMPDIR
	[ -x "$B/ctrain" ] && [ -x "$B/cdetect" ] || skip "ctrain and cdetect are not built"
}

# Traces by a random walk over 31 calls, 83 to learn from and 47 to judge; every third of those has what was never seen.
make_traces() {
	mkdir -p "$T/ADFA-LD"
	python3 - "$T/ADFA-LD" <<-'EOF'
	import random, sys
	rnd = random.Random(7)
	calls = rnd.sample(range(1, 330), 31)
	after = {c: rnd.choices(calls, k=5) for c in calls}

	def walk(n, wild):
	    c, out = rnd.choice(calls), []
	    for _ in range(n):
	        out.append(rnd.choice(calls) if rnd.random() < wild else c)
	        c = rnd.choice(after[c])
	    return out

	for i in range(83):
	    open("%s/UTD-%04d.txt" % (sys.argv[1], i), "w").write(" ".join(map(str, walk(rnd.randint(3, 700), 0.02))))
	for i in range(47):
	    trace = walk(rnd.randint(3, 700), 0.02 if i % 2 else 0.4)
	    if i % 3 == 0:
	        trace[len(trace) // 2 : 0] = [331, 332]
	    open("%s/UVD-%04d.txt" % (sys.argv[1], i), "w").write(" ".join(map(str, trace)))
	EOF
	scripts/cbimport adfa --split=train "$T/ADFA-LD" > "$T/train"
	scripts/cbimport adfa --split=validation "$T/ADFA-LD" > "$T/judged"
}

# compare FILE: rows of cdetect against the definition, each process and all together
compare() {
	python3 - "$T/train" "$T/judged" "$1" <<-'EOF'
	import json, sys
	sys.path.insert(0, "tests/helpers")
	import reference
	model = reference.WittenBell(reference.read(sys.argv[1]))
	rows = [json.loads(l) for l in open(sys.argv[3])]
	got = {r["process.name"]: r for r in rows if r["event.kind"] == "event"}
	want = {i.name: model.score(i) for i in reference.read(sys.argv[2])}
	assert len(want) == 47 and got.keys() == want.keys()
	off = []
	for name, (calls, mean, w20, w200) in want.items():
	    r = got[name]
	    assert r["score.calls"] == calls, name
	    off.append(abs(r["score.bits_mean"] - mean))
	    # a cost is rounded to 1/16 bit at each of up to six orders
	    assert off[-1] < 0.1, (name, mean, r)
	    assert abs(r["score.window20_max"] - w20) < 0.1 and abs(r["score.window200_max"] - w200) < 0.1, (name, w20, w200, r)
	assert sum(off) / len(off) < 0.02, off
	assert max(m[1] for m in want.values()) > 2 * min(m[1] for m in want.values())
	EOF
}

@test "scores of a recording are those of the definition" {
	make_traces
	"$B/ctrain" -m "$T/m.db" --new "$T/train" > /dev/null
	"$B/cdetect" -m "$T/m.db" --scores -o json "$T/judged" > "$T/scores"
	compare "$T/scores"
}

@test "scores are the same from CSV, from a pipe and with a model learned in two parts" {
	make_traces
	"$B/ctrain" -m "$T/m.db" --new "$T/train" > /dev/null
	"$B/cdetect" -m "$T/m.db" --scores -o json "$T/judged" > "$T/scores"
	scripts/cbimport adfa -o csv --split=validation "$T/ADFA-LD" > "$T/judged.csv"
	"$B/cdetect" -m "$T/m.db" --scores -o json "$T/judged.csv" | cmp - "$T/scores"
	cat "$T/judged" | "$B/cdetect" -m "$T/m.db" --scores -o json | cmp - "$T/scores"

	mkdir "$T/half"
	mv "$T"/ADFA-LD/UTD-00[0-3]*.txt "$T/half/"
	scripts/cbimport adfa "$T/half" > "$T/first"
	scripts/cbimport adfa --split=train "$T/ADFA-LD" > "$T/second"
	"$B/ctrain" -m "$T/two.db" --new "$T/first" > /dev/null
	"$B/ctrain" -m "$T/two.db" "$T/second" > /dev/null
	"$B/cdetect" -m "$T/two.db" --scores -o json "$T/judged" > "$T/scores2"
	compare "$T/scores2"
}
