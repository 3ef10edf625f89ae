# Daemons: docker
bats_require_minimum_version 1.5.0
load lib

needs() { require_bpf && require_docker; }
setup_file() { ! file_needs needs || docker_up; }
teardown_file() { docker_down; }
setup() { live_setup; }
teardown() { live_teardown; }

@test "docker: name, id, image in every row of both collectors, from the first exec of a container of a moment" {
	local e=$BATS_TEST_TMPDIR/exec s=$BATS_TEST_TMPDIR/seq id
	collector_start "$e" cexecsnoop -j -c brief-1
	collector_start "$s" ctop-syscalls -S -j -c brief-1
	id=$(docker create --rm --network none --name brief-1 local/bb:1.0 execs 13)
	docker start -a brief-1
	wait_for has_rows "$e" 'action == "exit" and .["process.vpid"] == 1'
	collector_stop "$e"
	collector_stop "$s"
	for f in "$e" "$s"; do
		has_rows "$f" event 1
		assert_rows "$f" "event and (ctr != \"brief-1\" or .[\"container.id\"] != \"$id\" or
			.[\"container.image.name\"] != \"local/bb:1.0\" or .[\"container.runtime\"] != \"docker\" or
			(.[\"container.image.id\"] | startswith(\"sha256:\") | not))" 0
	done
	assert_rows "$e" 'event and action == "start" and args[1:2] == ["child"]' 13
}

@test "docker exec is entered from outside; -c by id prefix, image, label; --exclude" {
	local e=$BATS_TEST_TMPDIR/exec id
	id=$(docker run -d --network none --name one --label tier=web local/bb:1.0 sleep 1000)
	docker run -d --network none --name two local/bb:1.0 sleep 1000
	collector_start "$e.id" cexecsnoop -j -c "${id:0:6}"
	collector_start "$e.image" cexecsnoop -j -c 'image=local/*'
	collector_start "$e.label" cexecsnoop -j -c label=tier=web --label=tier
	collector_start "$e.not" cexecsnoop -j --exclude=tw?
	docker exec one execs 7
	docker exec two execs 11
	for f in id image label not; do
		wait_for has_rows "$e.$f" 'ctr == "one" and action == "exit" and comm == "execs" and .["process.exit_code"] == 0'
		[ $f != image ] || wait_for has_rows "$e.$f" 'ctr == "two" and action == "exit" and .["process.exit_code"] == 0'
		collector_stop "$e.$f"
		assert_rows "$e.$f" 'event and ctr == "one" and action == "start" and .["process.entered"] and args[1:2] == ["child"]' 7
	done
	for f in id label; do
		assert_rows "$e.$f" 'event and ctr != "one"' 0
	done
	assert_rows "$e.label" 'event and .["container.label"] != "tier=web"' 0
	assert_rows "$e.id" 'event and .["container.label"]' 0
	assert_rows "$e.not" 'event and ctr == "two"' 0
	assert_rows "$e.image" 'event and ctr == "two" and action == "start" and args[1:2] == ["child"]' 11
}

@test "a container running before the collector is known by name; its processes and their programs too" {
	local s=$BATS_TEST_TMPDIR/seq
	docker run -d --network none --name early local/bb:1.0 sh -c 'while sleep 0.1; do :; done'
	wait_for sh -c 'docker top early | grep -q sleep'
	collector_start "$s" ctop-syscalls -S -j -c early
	wait_for has_rows "$s" 'ctr == "early" and comm == "sh" and exe == "/usr/bin/busybox"'
	collector_stop "$s"
	assert_rows "$s" 'event and ctr != "early"' 0
	assert_no_loss "$s"
}
