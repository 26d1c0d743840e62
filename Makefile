# make, make run, make test, make test-more, make lint, make install; see README.md

PREFIX   ?= /usr/local
CC       ?= cc
CFLAGS   ?= -O2 -g
BUILD    ?= build
VERSION  := 0.1

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 \
            -Werror=format-nonliteral -Wvla
HARDENED := -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -I$(BUILD) -DOFFICEMAIL_VERSION='"$(VERSION)"' $(WARNINGS) $(HARDENED) $(MODE) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(MODE_LD) $(LDFLAGS)

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
BINARY   := $(if $(filter build,$(BUILD)),officemail,$(BUILD)/officemail)

# The static library where Debian ships one, so that the file can be copied.
LIBDIRS  := $(shell $(CC) -print-search-dirs 2>/dev/null | sed -n 's/^libraries: =//p' | tr : ' ')
static    = $(firstword $(wildcard $(addsuffix lib$(1).a,$(addsuffix /,$(LIBDIRS)))) -l$(1))
LIBS     := $(foreach l,sqlite3 bearssl inih xxhash,$(call static,$(l))) -lcrypt -lseccomp -lm

SOURCES  := $(wildcard base/*.c store/*.c pop3d/*.c smtpd/*.c tools/*.c)
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
PARTS    := $(filter-out $(BUILD)/tools/officemail.o,$(OBJECTS))
UNITS    := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*_test.c))

all: $(BINARY)

$(BINARY): $(BUILD)/tools/officemail.o $(BUILD)/officemail.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/officemail.a: $(PARTS)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The schema, as a C string.
$(BUILD)/schema.inc: store/schema.sql
	@mkdir -p $(@D)
	sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $< > $@
$(BUILD)/store/db.o: $(BUILD)/schema.inc

$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/officemail.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(BUILD)/officemail.a $(LIBS) -lcmocka

units: $(UNITS)
	@set -e; for unit in $(UNITS); do $$unit; done

clean:
	rm -rf build officemail

-include $(OBJECTS:.o=.d)
.PHONY: all units clean
