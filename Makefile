# cbtools. "make" builds into build/; "make help" lists the targets.
VERSION := 0.1
O ?= build
prefix ?= /usr/local
bindir ?= $(prefix)/bin
sbindir ?= $(prefix)/sbin
mandir ?= $(prefix)/share/man
datadir ?= $(prefix)/share/cbtools

CC ?= cc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
VMLINUX ?= /sys/kernel/btf/vmlinux
ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(shell uname -m)))

CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Wmissing-prototypes -Wstrict-prototypes
ifneq ($(CI)$(WERROR),)
WARN += -Werror
endif
ifdef SAN
CFLAGS += -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
O := build-san
endif
CPPFLAGS += -D_GNU_SOURCE -DCB_VERSION='"$(VERSION)"' -I$(O) -Ilib -Itrain -Ibpf
LDLIBS := -lbpf -lelf -lz -ljansson -lcsv -lsqlite3 -lzstd -lseccomp -lm -lpthread

BPF := $(patsubst bpf/%.bpf.c,%,$(wildcard bpf/*.bpf.c))
SCHEMA := $(wildcard bpf/*.h)
TOOL := $(patsubst tools/%.c,%,$(wildcard tools/*.c))
LIB := $(patsubst %.c,$(O)/%.o,$(wildcard lib/*.c)) $(O)/schemas.o
TRAIN := $(patsubst %.c,$(O)/%.o,$(wildcard train/*.c))
UNIT := $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/*.c))
HELPER := $(patsubst tests/helpers/%.c,$(O)/tests/helpers/%,$(wildcard tests/helpers/*.c))
BENCH := $(patsubst tests/bench/%.c,$(O)/tests/bench/%,$(filter-out %.bpf.c,$(wildcard tests/bench/*.c)))
FUZZ := $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
MAN := $(patsubst man/%.in,$(O)/man/%,$(wildcard man/*.in))
# a script with a page is for users; the others are for this tree
PAGED := $(patsubst man/%.8.in,%,$(wildcard man/*.8.in))
SCRIPT := $(wildcard $(PAGED:%=scripts/%))
CRON := $(wildcard $(PAGED:%=scripts/cron/%))
SHARE := $(wildcard scripts/*.py scripts/*.css)

.PHONY: all help tools tests man install clean check demo bootstrap bench bench-adfa bench-load fuzz fuzzers
.SECONDARY:
.DELETE_ON_ERROR:

all: tools man

help:
	@echo 'make            build all tools and man pages into $(O)/'
	@echo 'make demo       install what is missing, build, train on a real container, attack it, show the alarms'
	@echo 'make check      install what is missing, build, run every test (SAN=1: with sanitizers)'
	@echo 'make bench      what the probes cost a system call, and how fast ctrain and cdetect are'
	@echo 'make bench-load  what nginx, redis and PostgreSQL lose while they are watched (ROUNDS=5 SECONDS=5 ONLY=)'
	@echo 'make bench-adfa ADFA=FILE.zip   the ADFA-LD evaluation'
	@echo 'make fuzz       any bytes into what reads recordings and engine files (SECONDS=60 each)'
	@echo 'make install    DESTDIR= prefix=$(prefix)'

tools: $(TOOL:%=$(O)/%)
tests: $(UNIT) $(HELPER)
man: $(MAN)

$(O)/vmlinux.h: | $(O)/
	$(BPFTOOL) btf dump file $(VMLINUX) format c > $@

$(O)/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) $(O)/vmlinux.h
	$(CLANG) -O2 -g -Wall -Werror -mcpu=v3 -target bpf -D__bpf__ -D__TARGET_ARCH_$(ARCH) -I$(O) -Ibpf -c $< -o $@.tmp
	llvm-strip -g $@.tmp -o $@; rm -f $@.tmp

$(O)/%.skel.h: $(O)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf > $@

$(O)/schemas.c: $(SCHEMA) scripts/mkschemas | $(O)/
	scripts/mkschemas bpf > $@

$(O)/schemas.o: $(O)/schemas.c
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP -c $< -o $@

$(O)/lib/%.o: lib/%.c | $(O)/lib/ $(O)/schemas.c
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP -c $< -o $@

$(O)/train/%.o: train/%.c | $(O)/train/ $(O)/schemas.c
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP -c $< -o $@

# the tables of a model, as a string
$(O)/train/schema.sql.h: train/schema.sql | $(O)/train/
	sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< > $@

$(O)/train/db.o: $(O)/train/schema.sql.h

# a tool waits for the skeletons that it includes
skeletons = $(addprefix $(O)/,$(shell sed -n 's/^.include "\(.*\.skel\.h\)"/\1/p' $(1)))
$(foreach t,$(TOOL),$(eval $(O)/tools/$(t).o: | $(call skeletons,tools/$(t).c)))

$(O)/tools/%.o: tools/%.c | $(O)/tools/ $(O)/schemas.c
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP -c $< -o $@

$(O)/libcb.a: $(LIB)
	rm -f $@; ar rcs $@ $^

$(O)/libcbtrain.a: $(TRAIN)
	rm -f $@; ar rcs $@ $^

$(TOOL:%=$(O)/%): $(O)/%: $(O)/tools/%.o $(O)/libcbtrain.a $(O)/libcb.a
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(O)/libcbtrain.a $(O)/libcb.a $(LDLIBS) -o $@

$(UNIT): $(O)/tests/%: tests/unit/%.c $(O)/libcbtrain.a $(O)/libcb.a | $(O)/tests/
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP $< $(O)/libcbtrain.a $(O)/libcb.a $(LDLIBS) -lcmocka -o $@

# run inside containers that hold no C library
$(HELPER): $(O)/tests/helpers/%: tests/helpers/%.c | $(O)/tests/helpers/
	$(CC) -D_GNU_SOURCE -O1 -static $(WARN) $< -lpthread -o $@

$(O)/tests/bench/empty.bpf.o: tests/bench/empty.bpf.c $(O)/vmlinux.h | $(O)/tests/bench/
	$(CLANG) -O2 -g -Wall -Werror -mcpu=v3 -target bpf -I$(O) -c $< -o $@

$(O)/tests/bench/empty.skel.h: $(O)/tests/bench/empty.bpf.o
	$(BPFTOOL) gen skeleton $< name empty_bpf > $@

$(BENCH): $(O)/tests/bench/%: tests/bench/%.c tests/bench/paired.h $(O)/libcbtrain.a $(O)/libcb.a $(O)/tests/bench/empty.skel.h \
		$(BPF:%=$(O)/%.skel.h) | $(O)/tests/bench/
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) $< $(O)/libcbtrain.a $(O)/libcb.a $(LDLIBS) -o $@

$(FUZZ): $(O)/tests/fuzz/%: tests/fuzz/%.c $(O)/libcbtrain.a $(O)/libcb.a | $(O)/tests/fuzz/
	$(CLANG) $(CPPFLAGS) $(CFLAGS) -fsanitize=fuzzer,address $< $(O)/libcbtrain.a $(O)/libcb.a $(LDLIBS) -o $@

$(O)/man/%: man/%.in scripts/mkman Makefile $(TOOL:%=$(O)/%) | $(O)/man/
	scripts/mkman $< $(O) > $@

%/:
	mkdir -p $@

INSTALL ?= install
to = $(DESTDIR)$(1)

install: all
	$(INSTALL) -d $(call to,$(bindir)) $(call to,$(sbindir)) $(call to,$(datadir))
	$(INSTALL) -m 755 $(TOOL:%=$(O)/%) $(CRON) $(call to,$(sbindir))
	$(INSTALL) -m 755 $(SCRIPT) $(call to,$(bindir))
	$(INSTALL) -m 644 $(SHARE) $(call to,$(datadir))
	for d in grafana prometheus; do \
		$(INSTALL) -d $(call to,$(datadir))/$$d && $(INSTALL) -m 644 scripts/$$d/* $(call to,$(datadir))/$$d || exit; done
	$(INSTALL) -d $(call to,$(datadir))/cron
	echo '17 3 * * *  root  $(sbindir)/cbtools-daily' > $(call to,$(datadir))/cron/cbtools
	for p in $(MAN); do \
		$(INSTALL) -D -m 644 $$p $(call to,$(mandir))/man$${p##*.}/$${p##*/} || exit; done

bootstrap:
	scripts/bootstrap

# as many at once as there are CPUs, unless make was told
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

check: bootstrap
	$(MAKE) $(JOBS) tools tests man
	SAN=$(SAN) O=$(O) tests/run

demo: bootstrap
	$(MAKE) $(JOBS) tools $(HELPER)
	O=$(O) scripts/demo

# a library that says where it went, in a folder of its own
FUZZ_FLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

fuzz:
	$(MAKE) O=$(O)/fuzz CC=$(CLANG) CFLAGS='$(FUZZ_FLAGS)' fuzzers
	tests/fuzz/run $(O)/fuzz/tests/fuzz $(SECONDS)

fuzzers: $(FUZZ)

bench: tools $(BENCH)
	O=$(O) tests/bench/run

# bash has a SECONDS of its own
bench-load: bootstrap
	$(MAKE) $(JOBS) tools $(O)/tests/bench/empty
	O=$(O) ROUNDS=$(or $(ROUNDS),5) DURATION=$(or $(SECONDS),5) ONLY='$(ONLY)' tests/bench/load

bench-adfa: tools
	@test -n "$(ADFA)" || { echo 'usage: make bench-adfa ADFA=FILE.zip' >&2; exit 64; }
	tests/bench/adfa "$(ADFA)" $(O)

clean:
	rm -rf build build-san

-include $(wildcard $(O)/*.d $(O)/*/*.d)
