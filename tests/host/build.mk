# mm/ and other pure parts of the kernel as ordinary 32-bit host programs, under ASan and UBSan.
#   make host-test     directed tests and the fuzzer
#   make races         mm/ on threads, under ThreadSanitizer (a part of host-test)
#   make policies      replacement policies on recorded runs
#   make mutants       each planted fault in mm/ must be caught

HB       := $(B)/host
HOST_CC  := gcc -m32 -std=gnu11 -Wall -Wextra -Werror -g -O1 -I. -DARCH_HOST -DCONFIG_DEBUG
# Where the machine runs no 32-bit programs QEMU does (scripts/run-i386), and is too slow for AddressSanitizer.
HOST_SAN := $(if $(filter native,$(shell scripts/run-i386 --native /lib/ld-linux.so.2 --version >/dev/null 2>&1 && \
                echo native)),-fsanitize=address) -fsanitize=undefined -fno-sanitize-recover=undefined
HOST_MM  := $(wildcard mm/*.c mm/*/*.c) arch/host/machine.c arch/i386/platform/shared_lock.c tests/host/program.c tests/host/port.c libc/string.c
# What each program is made of besides its own source and check.c.
HOST_SRC_fuzz    := $(HOST_MM)
HOST_SRC_test_faults := $(HOST_MM) tests/host/stage.c
HOST_SRC_test_space := $(HOST_MM) tests/host/stage.c
HOST_SRC_test_share := $(HOST_MM) tests/host/stage.c
HOST_SRC_test_shelves := $(HOST_MM) tests/host/stage.c
HOST_SRC_test_objects := $(HOST_MM) tests/host/stage.c
HOST_SRC_test_pagers := $(HOST_MM) tests/host/stage.c
HOST_SRC_test_memory := $(HOST_MM) tests/host/stage.c
HOST_SRC_test_seeing := $(HOST_MM)
HOST_SRC_test_failures := $(HOST_MM)
HOST_SRC_test_swap := $(HOST_MM)
HOST_SRC_test_served := $(HOST_MM)
HOST_SRC_test_lz4  := mm/reclaim/lz4.c
HOST_SRC_test_guards := $(HOST_MM)
HOST_SEVERAL := $(HOST_MM) tests/host/stage.c tests/host/several.c arch/i386/platform/shootdown.c
HOST_SRC_test_interleaving := $(HOST_SEVERAL)
HOST_SRC_test_vt    := drivers/video/vt.c drivers/video/vt_charset.c drivers/video/vt_csi.c drivers/video/vt_screen.c \
                       drivers/input/keymap.c drivers/input/layouts.c libc/printf.c tests/host/port.c
HOST_SRC_test_firmware := arch/i386/start/handover.c arch/i386/start/memmap.c arch/i386/platform/resource.c arch/i386/platform/acpi_tables.c arch/i386/platform/mp_table.c drivers/video/fb.c \
                       drivers/video/fb_geometry.c libc/printf.c libc/string.c
HOST_SRC_test_ldisc := drivers/tty/tty_ldisc.c drivers/tty/tty_output.c tests/host/port.c
HOST_SRC_test_inflate := $(HOST_MM) fs/archive/gzip.c fs/archive/inflate.c fs/archive/archive.c
HOST_SRC_test_cpio    := $(HOST_MM) fs/archive/cpio.c fs/archive/later.c fs/archive/cpio_header.c fs/archive/gzip.c fs/archive/inflate.c fs/archive/archive.c fs/ram/ramfs.c \
                         fs/ram/ramfs_mount.c fs/vfs/options.c fs/vfs/dcache.c fs/vfs/inode.c kernel/cred/group_list.c libc/printf.c
HOST_SRC_test_div64   := libc/div64.c
HOST_SRC_test_string  := libc/string.c
HOST_SRC_test_chacha  := kernel/machine/chacha.c libc/string.c
HOST_SRC_test_kernel_lock := arch/i386/platform/kernel_lock.c
HOST_SRC_test_scheduler := kernel/thread/sched.c kernel/thread/runqueue.c kernel/thread/balance.c
HOST_SRC_test_block   := fs/block/elevator.c fs/block/table.c fs/block/mbr.c fs/block/gpt.c tests/host/port.c

HOST_SRC_simulator := $(addprefix tests/policy/,simple.c opt.c two_queue.c clock_pro.c faultline.c) mm/reclaim/policy.c libc/string.c

HOST_TESTS := $(patsubst tests/host/%.c,%,$(wildcard tests/host/test_*.c))
# ThreadSanitizer wants pointers of 64 bits.
RACES      := $(if $(filter x86_64,$(shell uname -m)),$(HB)/races)
HOST_BIN   := $(addprefix $(HB)/,$(HOST_TESTS) fuzz simulator) $(RACES)

HOST_OBJ    = $(patsubst %.c,$(HB)/obj/%.o,$(1))

$(HB)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,HOSTCC  $<)
	$(Q)$(HOST_CC) $(HOST_SAN) -MMD -MP -c $< -o $@

# The end of a list of threads is none, and lies where none could: they are aligned to 16.
$(HB)/obj/kernel/thread/%.o: HOST_SAN += -fno-sanitize=alignment

.SECONDEXPANSION:
$(HB)/%: $(HB)/obj/tests/host/%.o $(HB)/obj/tests/host/check.o $$(call HOST_OBJ,$$(HOST_SRC_$$*))
	$(call say,HOSTLD  $@)
	$(Q)$(HOST_CC) $(HOST_SAN) -Wl,-z,noexecstack $^ -o $@

$(HB)/simulator: $(HB)/obj/tests/policy/simulator.o $(call HOST_OBJ,$(HOST_SRC_simulator))
	$(call say,HOSTLD  $@)
	$(Q)$(HOST_CC) $(HOST_SAN) -Wl,-z,noexecstack $^ -o $@

$(HB)/obj/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(call say,HOSTASM $<)
	$(Q)nasm -f elf32 $< -o $@

$(HB)/test_chacha: $(HB)/obj/arch/i386/vector/chacha.asm.o $(HB)/obj/arch/i386/vector/chacha_avx2.asm.o

# Processors that are threads. Pointers are wide, so spaces are small: struct vm_space is a page at most. A fence is not seen by the
# detector, and what it orders are marked accesses, of which it says nothing anyway.
RACES_CC := gcc -std=gnu11 -Wall -Wextra -Werror -g -O1 -I. -DARCH_HOST -DCONFIG_DEBUG -DUSER_TOP=0x30000000u \
            -fsanitize=thread -Wno-tsan

RACES_SRC := tests/host/races.c tests/host/check.c $(HOST_SEVERAL)
$(HB)/races: $(RACES_SRC) $(wildcard arch/*.h arch/host/*.h mm/*.h mm/*/*.h tests/host/*.h)
	@mkdir -p $(@D)
	$(call say,HOSTCC  $@)
	$(Q)$(RACES_CC) $(RACES_SRC) -o $@ -lpthread

-include $(shell find $(HB)/obj -name '*.d' 2>/dev/null)

host: $(HOST_BIN)

races: $(RACES)
	$(Q)setarch -R $< $(ROUNDS)

host-test: $(HOST_BIN)
	$(Q)tests/host/run $(HB) $(HOST_TESTS)

# Which replacement policy is best on recorded runs; the table goes into docs/replacement.md.
policies: $(HB)/simulator
	$(Q)tests/policy/run $< --table docs/replacement.md

mutants:
	$(Q)$(PY) tests/host/mutants.py $(HB)/mutants

.PHONY: host host-test races policies mutants
