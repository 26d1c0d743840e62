# make, make run, make test, make test-more, make lint, make install, make deb; see README.md.
# make packages, make crash, make faults, make fuzz, make soak, make bench: tests/README.md.

PREFIX   ?= /usr/local
# Where what other programs read goes: /etc, where PREFIX is /usr.
ETC      ?= $(if $(filter /usr,$(PREFIX)),,$(PREFIX))/etc
CC       ?= cc
CFLAGS   ?= -O2 -g
BUILD    ?= build
VERSION  := 0.1

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 \
            -Werror=format-nonliteral -Wvla
HARDENED := -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
# On 32 bits: files of any length, and time beyond 2038.
WIDE     := $(if $(filter 4,$(shell echo __SIZEOF_LONG__ | $(CC) -E -P -)),-D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(WIDE) -I. -I$(BUILD) -DOFFICEMAIL_VERSION='"$(VERSION)"' $(WARNINGS) $(HARDENED) $(MODE) $(CFLAGS)
CLOSED   := -Wl,-z,relro,-z,now
ALL_LDFLAGS = -pie $(CLOSED) $(MODE_LD) $(LDFLAGS)

# SANITIZE=1: AddressSanitizer and UBSan. UNSEALED=1: without the system call
# filter (qemu-user, Valgrind). DEADLY=1: a call the filter refuses ends the process.
ifdef SANITIZE
BUILD    := build/sanitize
HARDENED := -fstack-protector-strong -fPIE
MODE     += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DSANITIZED
MODE_LD  += -fsanitize=address,undefined
endif
ifdef DEADLY
BUILD    := $(BUILD)/deadly
MODE     += -DDEADLY_SEAL
endif
ifdef UNSEALED
BUILD    := $(BUILD)/unsealed
MODE     += -DUNSEALED
endif
# FUZZER=1: the fuzz targets with libFuzzer, which clang has.
ifdef FUZZER
BUILD    := build/fuzzer
CC       := clang
HARDENED := -fstack-protector-strong -fPIE
MODE     += -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DSANITIZED
MODE_LD  += -fsanitize=fuzzer,address,undefined
endif
BINARY   := $(if $(filter build,$(BUILD)),officemail,$(BUILD)/officemail)

# Each library as an archive, where there is one (Debian has all of them).
LIBDIRS  := $(shell $(CC) -print-search-dirs 2>/dev/null | sed -n 's/^libraries: =//p' | tr : ' ')
archive   = $(firstword $(wildcard $(addsuffix lib$(1).a,$(addsuffix /,$(LIBDIRS)))))
ALONE    := sqlite3 bearssl hogweed nettle gmp inih xxhash
WITH_LIBC:= crypt seccomp resolv m
LIBS     := $(foreach l,$(ALONE),$(or $(if $(SHARED),,$(call archive,$(l))),-l$(l))) $(WITH_LIBC:%=-l%)

# The binary holds all of them, libc too: it can be copied, and a process that has few
# mappings is quickly forked. What lays itself before libc's calls (tests/shims, the
# sanitizers, Valgrind) wants it linked dynamically: DYNAMIC. SHARED=1: nothing is in it,
# so that the system's packages keep the libraries up to date (tools/deb).
ARCHIVES := $(foreach l,$(ALONE) $(WITH_LIBC),$(call archive,$(l)))
ifneq ($(and $(call archive,c),$(filter $(words $(ARCHIVES)),$(words $(ALONE) $(WITH_LIBC)))),)
STATIC   := $(if $(SHARED)$(SANITIZE)$(UNSEALED)$(FUZZER),,yes)
endif
DYNAMIC  := $(if $(STATIC),$(BUILD)/dynamic/officemail)

SOURCES  := $(wildcard base/*.c store/*.c pop3d/*.c smtpd/*.c tools/*.c)
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
PARTS    := $(filter-out $(BUILD)/tools/officemail.o,$(OBJECTS))
TESTS    := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/*/*.c))
UNITS    := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*_test.c))
FUZZED   := $(patsubst %.c,$(BUILD)/%,$(filter-out tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)))

# Libraries that are laid before libc's calls, to record them or to make them fail.
SHIMS    := $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/shims/*.c))
# Programs that tests run, and kill.
VICTIMS  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/crash/*.c tests/e2e/*.c tests/outside/*.c))

# The load generator of the benchmark, and what the machine itself gives.
BENCH    := $(addprefix $(BUILD)/tests/bench/,load limits inetd)

# Debian's own Python: PATH may hold another one, without pytest.
PYTEST   := /usr/bin/python3 -B -m pytest -q -rfEs -p no:cacheprovider

all: $(BINARY)

# getaddrinfo(3) reads /etc/hosts and asks DNS here, and nothing is opened by dlopen(3):
# neither needs libraries when it runs, of which the linker warns.
ifdef STATIC
$(BINARY): $(BUILD)/tools/officemail.o $(BUILD)/officemail.a
	@echo LD $@
	@LC_ALL=C $(CC) -static-pie $(CLOSED) $(LDFLAGS) -o $@ $^ $(ARCHIVES) 2>$(BUILD)/linked || { cat $(BUILD)/linked >&2; false; }
	@sed "/: in function /N; /Using '\(getaddrinfo\|dlopen\)' in statically linked/d" $(BUILD)/linked >&2
endif

$(or $(DYNAMIC),$(BINARY)): $(BUILD)/tools/officemail.o $(BUILD)/officemail.a
	@mkdir -p $(@D)
	@echo LD $@
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/officemail.a: $(PARTS)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo CC $<
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Chosen at run time: see base/digest.c.
$(BUILD)/base/digest_avx2.o: MODE += $(if $(findstring x86_64,$(shell $(CC) -dumpmachine)),-mavx2)

# The schema and its steps, as C strings.
$(BUILD)/%.inc: store/%.sql
	@mkdir -p $(@D)
	@sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $< > $@
$(BUILD)/store/migrate.o: $(BUILD)/schema.inc $(BUILD)/schema-2.inc $(BUILD)/schema-3.inc

$(BUILD)/tests/%: tests/%.c $(BUILD)/officemail.a
	@mkdir -p $(@D)
	@echo LD $@
	@$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.unit.d $(ALL_LDFLAGS) -o $@ $< $(BUILD)/officemail.a $(LIBS) -lcmocka

# A fuzz target replays files, or with libFuzzer looks for new ones.
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(if $(FUZZER),,$(BUILD)/tests/fuzz/replay.o) $(BUILD)/officemail.a
	@echo LD $@
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/shims/%.so: tests/shims/%.c
	@mkdir -p $(@D)
	@echo LD $@
	@$(CC) $(filter-out -fPIE,$(ALL_CFLAGS)) -fPIC -shared -o $@ $<

$(BENCH): $(BUILD)/tests/bench/wire.o $(BUILD)/officemail.a
	@echo LD $@
	@$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(BUILD)/officemail.a -lssl -lcrypto $(LIBS)
$(BUILD)/tests/bench/load: $(addprefix $(BUILD)/tests/bench/,load.o smtp.o pop3.o)
$(BUILD)/tests/bench/limits: $(BUILD)/tests/bench/limits.o
$(BUILD)/tests/bench/inetd: $(BUILD)/tests/bench/inetd.o

shims: $(SHIMS) $(VICTIMS) $(BENCH) $(DYNAMIC)

targets: $(FUZZED)

# Objects only, of everything: for lint.
compile: $(OBJECTS) $(TESTS)

units: $(UNITS)
	@set -e; for unit in $(UNITS); do $$unit; done

run:
	@tools/setup build
	@$(MAKE) --no-print-directory -s -j2 all
	@tools/demo

test:
	tools/setup build test
	$(MAKE) -j2 all units shims targets
	OFFICEMAIL=$(BINARY) $(PYTEST) -n 4 tests/e2e tests/pages tests/crash tests/faults tests/soak tests/bench tests/fuzz/test_corpus.py
	OFFICEMAIL=$(BINARY) $(PYTEST) -n 4 tests/outside

test-more:
	tools/setup build test more
	$(MAKE) -j2 all shims
	$(MAKE) -j2 SANITIZE=1 DEADLY=1 all units targets
	OFFICEMAIL=build/sanitize/deadly/officemail $(PYTEST) -n 4 tests/e2e tests/fuzz
	OFFICEMAIL=build/sanitize/deadly/officemail $(PYTEST) -n 4 tests/outside
	OFFICEMAIL=$(BINARY) $(PYTEST) tests/samples tests/more
	OFFICEMAIL=$(BINARY) $(PYTEST) -n 2 tests/peers
	$(MAKE) packages

# The figures of tests/README.md; what make test runs is the short form of each.
crash faults soak:
	tools/setup build test
	$(MAKE) -j2 all shims
	OFFICEMAIL=$(BINARY) $(PYTEST) -s --full tests/$@

# Beside other mail servers, and beside what the machine gives: tests/bench/README.md.
bench:
	tools/setup build test bench
	$(MAKE) -j2 all shims
	tests/bench/run.py $(OPTIONS)

bench-limits:
	tools/setup build test
	$(MAKE) -j2 all shims
	@set -e; place=$$(mktemp -d /var/tmp/officemail-limits.XXXXXX); trap "rmdir $$place" EXIT; \
		$(BUILD)/tests/bench/limits $$place

# Hours, for what make test runs in minutes. K=: which tests, as pytest -k has it.
valgrind:
	tools/setup build test valgrind
	$(MAKE) -j2 UNSEALED=1 all
	UNDER_VALGRIND=$(CURDIR)/build/unsealed/officemail OFFICEMAIL=tests/valgrind $(PYTEST) -n 2 -k "$(K)" tests/e2e

# SECONDS for each target.
SECONDS  ?= 3600
fuzz:
	tools/setup build fuzz
	$(MAKE) -j2 FUZZER=1 targets
	tests/fuzz/run.py --seconds $(SECONDS) $(TARGETS)

lint:
	tools/setup build test lint
	tests/lint

# What systemd and its like read is beside the rest; debhelper puts it where a package has it.
install-files: all
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/sbin/officemail
	install -D -m 644 tools/officemail.8 $(DESTDIR)$(PREFIX)/share/man/man8/officemail.8
	install -D -m 644 tools/office.ini.5 $(DESTDIR)$(PREFIX)/share/man/man5/office.ini.5
	install -D -m 644 tools/deb/bash-completion $(DESTDIR)$(PREFIX)/share/bash-completion/completions/officemail
	install -D -m 644 tools/deb/fail2ban/filter.conf $(DESTDIR)$(ETC)/fail2ban/filter.d/officemail.conf
	install -D -m 644 tools/deb/fail2ban/jail.conf $(DESTDIR)$(ETC)/fail2ban/jail.d/officemail.conf
	install -D -m 644 office.ini $(DESTDIR)$(PREFIX)/share/doc/officemail/examples/office.ini
	install -D -m 755 tools/deb/certbot-hook $(DESTDIR)$(PREFIX)/share/doc/officemail/examples/certbot-hook

install: install-files
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's,/usr/sbin/,$(PREFIX)/sbin/,' tools/deb/officemail.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/officemail.service
	install -D -m 644 tools/deb/officemail.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/officemail.conf
	install -D -m 644 tools/deb/officemail.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/officemail.conf

# build/deb/ARCH/officemail_VERSION_ARCH.deb; for another machine: make deb ARCH=arm64 (armhf).
ARCH     ?= $(shell dpkg --print-architecture 2>/dev/null)
deb:
	tools/setup build deb $(filter arm64 armhf,$(ARCH))
	tools/deb/build $(ARCH)

# build/cross/ARCH/officemail, without the seal, for qemu-user.
cross:
	tools/setup build arm64 armhf
	tools/deb/cross arm64 armhf

# The packages of three architectures: built, unpacked, installed, run. A part of make test-more.
packages:
	tools/setup build test deb arm64 armhf
	$(MAKE) -j2 all
	OFFICEMAIL=$(BINARY) $(PYTEST) tests/packages

clean:
	rm -rf build officemail

-include $(OBJECTS:.o=.d) $(TESTS:.o=.d) $(UNITS:=.unit.d) $(VICTIMS:=.unit.d)
.PHONY: all compile units shims targets run test test-more crash faults soak bench bench-limits valgrind fuzz lint install-files install deb cross packages clean
