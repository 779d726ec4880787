# mm/ and other pure parts of the kernel as ordinary 32-bit host programs, under ASan and UBSan.
#   make host-test     directed tests and the fuzzer
#   make mutants       each planted fault in mm/ must be caught

HB       := $(B)/host
HOST_CC  := gcc -m32 -std=gnu11 -Wall -Wextra -Werror -g -O1 -I. -DARCH_HOST -DCONFIG_DEBUG
HOST_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
HOST_MM  := $(wildcard mm/*.c) arch/host/machine.c tests/host/port.c libc/string.c
HOST_DEP := $(HOST_MM) tests/host/check.c $(wildcard mm/*.h arch/*.h arch/host/*.h tests/host/*.h \
            libc/*.h arch/i386/*.h fs/*.h kernel/*.h drivers/*.h)

# What each program is made of besides its own source and check.c.
HOST_SRC_fuzz    := $(HOST_MM)
HOST_SRC_test_vm := $(HOST_MM)
HOST_SRC_test_seeing := $(HOST_MM)
HOST_SRC_test_vt    := drivers/vt.c drivers/vt_charset.c drivers/vt_csi.c drivers/vt_screen.c \
                       drivers/keymap.c drivers/layouts.c libc/printf.c tests/host/port.c
HOST_SRC_test_firmware := arch/i386/handover.c arch/i386/memmap.c arch/i386/acpi_tables.c drivers/fb.c \
                       drivers/fb_geometry.c libc/printf.c libc/string.c
HOST_SRC_test_ldisc := kernel/tty_ldisc.c kernel/tty_output.c tests/host/port.c
HOST_SRC_test_inflate := $(HOST_MM) fs/gzip.c fs/inflate.c fs/archive.c
HOST_SRC_test_cpio    := $(HOST_MM) fs/cpio.c fs/cpio_header.c fs/gzip.c fs/inflate.c fs/archive.c fs/ramfs.c \
                         fs/ramfs_mount.c fs/dcache.c fs/inode.c libc/printf.c

HOST_TESTS := $(patsubst tests/host/%.c,%,$(wildcard tests/host/test_*.c))
HOST_BIN   := $(addprefix $(HB)/,$(HOST_TESTS) fuzz)

.SECONDEXPANSION:
$(HB)/%: tests/host/%.c $(HOST_DEP) $$(HOST_SRC_$$*)
	@mkdir -p $(@D)
	$(call say,HOSTCC  $@)
	$(Q)$(HOST_CC) $(HOST_SAN) $< tests/host/check.c $(HOST_SRC_$*) -o $@

host: $(HOST_BIN)

host-test: $(HOST_BIN)
	$(Q)tests/host/run $(HB) $(HOST_TESTS)

mutants:
	$(Q)$(PY) tests/host/mutants.py $(HB)/mutants

.PHONY: host host-test mutants
