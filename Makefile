# The only entry point. `make help` tells what there is.

B       := build
CACHE   := build/cache
CC      := gcc
AS      := nasm
PY      := /usr/bin/python3
DEBUG   ?= 0
V       ?= 0
Q       := $(if $(filter 0,$(V)),@)
say     = $(if $(filter 0,$(V)),@echo "  $(1)")

# -mgeneral-regs-only: the FPU belongs to the programs. -mregparm=3: three arguments in registers, as
# entry.asm and uaccess.asm have it too; the stack is aligned to words and no more. The instructions are a
# 486's, their choice is for later CPUs.
ARCHFLAGS := -m32 -march=i486 -mtune=generic -mregparm=3 -mpreferred-stack-boundary=2 -ffreestanding \
             -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables
WARN    := -std=gnu11 -Wall -Wextra -Werror
# The canary of stack frames is the running thread's, at a place in struct cpu (arch/cpu.h).
STACK_PROTECTOR ?= 1
ifeq ($(STACK_PROTECTOR),1)
GUARD   := -fstack-protector-strong -mstack-protector-guard=tls -mstack-protector-guard-reg=fs \
           -mstack-protector-guard-offset=28
endif
# -fbuiltin: freestanding, but memcpy of a known size may still become a few moves.
OPT     := -O2
HOT_OPT := -O3 --param max-inline-insns-auto=60 --param inline-unit-growth=80
KFLAGS   = $(ARCHFLAGS) $(GUARD) -mgeneral-regs-only -fno-omit-frame-pointer $(WARN) $(OPT) -g -I. \
           -fbuiltin -fno-builtin-printf
LDFLAGS := -m32 -nostdlib -static -no-pie -Wl,--build-id=none,-z,noexecstack
ifeq ($(DEBUG),1)
KFLAGS  += -DCONFIG_DEBUG
endif
# What is handed on does not say where it was built.
ASDEBUG := -g -F dwarf
ifeq ($(RELEASE),1)
SPACE   := $(subst ,, )
KFLAGS  += -ffile-prefix-map=$(subst $(SPACE),\$(SPACE),$(CURDIR))=.
ASDEBUG :=
endif

all: $(B)/faultline.elf

# ---- The kernel -----------------------------------------------------------------------------------

LIBC_SHARED := libc/string.c libc/printf.c libc/div64.c
KSRC    := $(sort $(shell find arch/i386 mm kernel fs drivers -name "*.c")) $(LIBC_SHARED)
KASM    := $(wildcard boot/*.asm arch/i386/*.asm arch/i386/vector/*.asm)
KOBJ    := $(KSRC:%.c=$(B)/%.o) $(KASM:%.asm=$(B)/%.asm.o) $(B)/font.o $(B)/vdso/image.o

# Objects made with other flags do not fit: they may not even pass arguments in the same way.
KFLAGS_NOW := $(KFLAGS) $(HOT_OPT)
$(B)/kernel.flags: FORCE
	@mkdir -p $(@D)
	@echo '$(KFLAGS_NOW)' | cmp -s - $@ || echo '$(KFLAGS_NOW)' >$@

$(B)/%.o: %.c $(B)/kernel.flags
	@mkdir -p $(@D)
	$(call say,CC      $<)
	$(Q)$(CC) $(KFLAGS) -MMD -MP -c $< -o $@

# The labels that macros make would hide, in backtraces, the functions that they are in.
$(B)/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(call say,NASM    $<)
	$(Q)$(AS) -f elf32 $(ASDEBUG) -MD $(@:.o=.d) -MP $< -o $@
	$(Q)objcopy --wildcard --strip-symbol='..@*' $@

# The console font is the distribution's.
$(B)/font.c: scripts/mkfont
	@mkdir -p $(@D)
	$(call say,FONT    $@)
	$(Q)$(PY) scripts/mkfont $@

$(B)/font.o: $(B)/font.c drivers/video/font.h $(B)/kernel.flags
	$(Q)$(CC) $(KFLAGS) -c $< -o $@

# What faults, calls, switches and signals go through. HOT_OPT puts more of a file's functions into their callers:
# half of what -flto gains, which costs every link a minute.
HOT := $(wildcard mm/*.c mm/beside/*.c mm/fork/*.c mm/percpu/*.c arch/i386/*.c arch/i386/vector/*.c kernel/thread/*.c kernel/signal/*.c kernel/deliver/*.c \
                  kernel/futex/*.c kernel/time/*.c kernel/syscall/syscall.c kernel/process/*.c fs/vfs/*.c fs/ram/*.c fs/archive/*.c \
                  fs/event/pipe.c fs/calls/rw.c drivers/tty/*.c arch/i386/platform/timer.c)
$(HOT:%.c=$(B)/%.o): OPT := $(HOT_OPT)

# libc/ uses nothing, so it has nobody to tell of a changed canary.
$(LIBC_SHARED:%.c=$(B)/%.o): GUARD :=

# Linked three times: without the symbol table that backtraces use, with one of the right size, and
# with the right one. Nothing here reads standard input, which may be a terminal.
LINK_KERNEL = $(CC) $(LDFLAGS) -T boot/linker.ld $(KOBJ) $(B)/ksyms.o -o $@.tmp
MAKE_KSYMS  = >$(B)/ksyms.asm && $(AS) -f elf32 $(B)/ksyms.asm -o $(B)/ksyms.o

$(B)/faultline.elf: $(KOBJ) boot/linker.ld scripts/ksyms
	$(call say,LINK    $@)
	$(Q)scripts/ksyms $(MAKE_KSYMS)
	$(Q)for pass in 1 2; do $(LINK_KERNEL) && scripts/ksyms $@.tmp $(MAKE_KSYMS) || exit 1; done
	$(Q)$(LINK_KERNEL)
	$(Q)! nm $@.tmp | grep ' [BCDGRSV] sys_' || { echo "a variable has the name of a system call"; exit 1; }
	$(Q)mv $@.tmp $@

-include $(KOBJ:.o=.d)

include vdso/build.mk

# ---- Programs: our own userland, and the guest tests -------------------------------------------------

include user/build.mk

# ---- Images ---------------------------------------------------------------------------------------

# Debian's i386 BusyBox. The stamp stands for having tried: without it, our own programs must do.
BUSYBOX := $(CACHE)/i386/busybox
$(CACHE)/i386/busybox.stamp: scripts/fetch-i386
	$(Q)scripts/fetch-i386 busybox
	$(Q)touch $@

fetch:
	$(Q)rm -f $(CACHE)/i386/*.stamp
	$(Q)scripts/fetch-i386 busybox linux
	$(Q)touch $(CACHE)/i386/busybox.stamp

$(B)/initrd.cpio: $(USER_BIN) $(CACHE)/i386/busybox.stamp scripts/mkinitrd scripts/newc.py \
                  $(shell find iso/root -type f)
	$(call say,CPIO    $@)
	$(Q)$(PY) scripts/mkinitrd -o $@ --root iso/root --busybox $(BUSYBOX) \
	    --tools "$(USER_TOOLS)" $(USER_BIN)

$(B)/faultline.iso: $(B)/faultline.elf $(B)/initrd.cpio iso/grub.cfg scripts/mkiso
	$(call say,ISO     $@)
	$(Q)scripts/mkiso $@ $(B)/faultline.elf $(B)/initrd.cpio iso/grub.cfg

kernel: $(B)/faultline.elf
initrd: $(B)/initrd.cpio
iso: deps
	$(Q)$(MAKE) --no-print-directory $(B)/faultline.iso

release: deps
	$(Q)$(MAKE) --no-print-directory B=build/release/objects RELEASE=1 build/release/objects/faultline.iso web
	$(Q)scripts/release build/release/objects build/release/files

# ---- Running --------------------------------------------------------------------------------------

MEM     ?= $(if $(ROOT),1024,256)
CPUS    ?= 1
APPEND  ?= console=ttyS0

deps:
	$(Q)scripts/deps

# DISK=file: a disk, made once, as /dev/vda.
DISK_OPTIONS = $(if $(DISK),-boot d -drive file=$(DISK)$(comma)format=raw$(comma)if=virtio)
comma := ,

# Debian's own i386 packages, with all that they need, as a ramdisk; PACKAGES= chooses others.
debian-root: deps
	$(Q)$(PY) scripts/debian-root -o $(B)/debian.cpio $(PACKAGES)

$(B)/debian.cpio: scripts/debian-root scripts/newc.py $(shell find iso/debian -type f)
	$(Q)$(MAKE) --no-print-directory debian-root

# The kernel builds itself, on itself and on Linux: the same bytes, and what each took.
self: deps $(B)/faultline.elf
	$(Q)$(PY) scripts/self --build $(B)

ifeq ($(ROOT),debian)
run: deps $(B)/faultline.elf $(B)/debian.cpio
	@echo "Debian's programs on Faultline, on this terminal. To leave: poweroff, or Ctrl-A X."
	$(Q)$(if $(DISK),scripts/mkdisk $(DISK))
	$(Q)scripts/qemu -smp $(CPUS) -m $(MEM) -kernel $(B)/faultline.elf -initrd $(B)/debian.cpio -append "$(APPEND)" $(DISK_OPTIONS)
else ifeq ($(GDB),1)
run: debug-images
	@echo "The machine waits for gdb: make gdb-attach, in another terminal. To leave: Ctrl-A X."
	$(Q)scripts/qemu -smp $(CPUS) -m $(MEM) -kernel $(B)/debug/faultline.elf -initrd $(B)/debug/initrd.cpio \
	    -append "$(APPEND)" -S -gdb unix:$(B)/gdb.sock,server=on,wait=off
else
run: iso
	@echo "Faultline starts on this terminal. To leave: poweroff, or Ctrl-A X."
	$(Q)$(if $(DISK),scripts/mkdisk $(DISK))
	$(Q)scripts/qemu -smp $(CPUS) -m $(MEM) -cdrom $(B)/faultline.iso $(DISK_OPTIONS)
endif

run-gui: iso
	$(Q)scripts/qemu --gui -smp $(CPUS) -m $(MEM) -cdrom $(B)/faultline.iso

DEBUG_IMAGES := $(B)/debug/faultline.elf $(B)/debug/initrd.cpio
debug-images: deps
	$(Q)$(MAKE) --no-print-directory B=$(B)/debug DEBUG=1 $(DEBUG_IMAGES)

# A debug kernel, stopped, with gdb on it: docs/debugging.md.
debug: gdb
gdb: debug-images
	$(Q)scripts/debug gdb $(if $(PROGRAM),--program $(PROGRAM)) $(DEBUG_IMAGES) "$(APPEND)" $(MEM)

# A run that can be repeated, also backwards.
record: debug-images
	$(Q)scripts/replay record $(B)/replay $(DEBUG_IMAGES) "$(APPEND)" $(MEM)

replay:
	$(Q)scripts/replay gdb $(B)/replay

gdb-attach:
	$(Q)scripts/debug attach $(B)/debug/faultline.elf $(B)/gdb.sock

# ---- Checks ---------------------------------------------------------------------------------------

-include tests/host/build.mk

test: deps
	$(Q)$(PY) scripts/test --build $(B) $(T)

# Every machine that can be had; the table goes into docs/hardware.md.
test-machines: iso
	$(Q)FAULTLINE_BUILD=$(B) $(PY) tests/machines/run --table docs/hardware.md $(T)

# make usb DEVICE=/dev/sdX writes the image to a stick, after showing what that is and asking.
# USB_OPTIONS="--partitions 512" makes swap of so many MiB and an ext2 file system of the rest.
usb: iso
	$(Q)[ -n "$(DEVICE)" ] || { echo "Which stick? make usb DEVICE=/dev/sdX (lsblk shows them)"; exit 1; }
	$(Q)$(PY) scripts/usb $(B)/faultline.iso $(DEVICE) $(USB_OPTIONS)

# The page: static files in build/web, for any web server.
web: deps kernel initrd
	$(Q)scripts/deps web
	$(Q)$(PY) scripts/web $(B)/web $(B)/faultline.elf $(B)/initrd.cpio

# Drives the page in Debian's chromium; takes its pictures for the docs.
web-test: web
	$(Q)scripts/deps web-test
	$(Q)node tests/web/drive.mjs $(B)/web docs/pictures

screenshots: iso
	$(Q)FAULTLINE_BUILD=$(B) $(PY) scripts/screenshots docs/pictures

.PHONY: self debian-root test-machines usb web web-test screenshots

# Labs: a tree for a student (SEED: whose; DIR: where), and points for it. docs/labs/README.md.
lab:
	$(Q)$(PY) scripts/lab write "$(NAME)" --seed "$(SEED)" --dir "$(DIR)"

grade: deps
	$(Q)$(PY) scripts/lab grade "$(NAME)" --seed "$(SEED)" --dir "$(DIR)" $(if $(QUICK),--quick)

# What make test shows of the labs, and the rest: with the guest tests.
labs-test: deps
	$(Q)$(MAKE) --no-print-directory $(B)/faultline.iso
	$(Q)$(MAKE) --no-print-directory B=$(B)/debug DEBUG=1 $(B)/debug/faultline.elf
	$(Q)FAULTLINE_BUILD=$(B) FAULTLINE_LABS=whole $(PY) -m pytest -q -o cache_dir=$(B)/pytest tests/boot/test_labs.py

.PHONY: lab grade labs-test

bench: deps
	$(Q)$(MAKE) --no-print-directory $(B)/faultline.elf
	$(Q)$(PY) scripts/bench $(B)

# The same by the clock, beside the instructions: needs a machine that is mostly idle.
bench-wall: deps kernel
	$(Q)$(PY) scripts/bench-wall $(B) $(if $(BOOTS),--boots $(BOOTS))

# What an operation costs beside few and beside many others of its kind; fails where a curve bends.
bench-scale: deps kernel
	$(Q)$(PY) scripts/bench-scale $(B)

# What a second processor brings: needs two cores that are mostly idle.
bench-smp: deps kernel
	$(Q)$(PY) scripts/bench-smp $(B)

bench-locks: deps kernel
	$(Q)$(PY) scripts/bench-locks $(B)

# Where the instructions of a row of the bench go, by function of the kernel.
profile: deps
	$(Q)$(MAKE) --no-print-directory $(B)/faultline.elf
	$(Q)$(PY) scripts/profile $(B) $(ROW)

soak: deps
	$(Q)$(MAKE) --no-print-directory kernel initrd
	$(Q)$(MAKE) --no-print-directory B=$(B)/debug DEBUG=1 $(B)/debug/faultline.elf guest host
	$(Q)$(PY) scripts/soak $(B)/debug $(or $(MINUTES),10) $(CPUS)

# The list of system calls, from the kernel that was built.
docs: $(B)/faultline.elf
	$(Q)scripts/syscalls $<

lint:
	$(Q)scripts/lint

# For clangd and its like.
compile_commands.json:
	$(Q)$(PY) scripts/compile-commands $@ "$(CC) $(KFLAGS)" $(KSRC) -- "$(CC) $(USER_CFLAGS)" $(USER_SRC) -- \
	    "$(CC) $(GUEST_CFLAGS)" $(GUEST_TESTS:%=tests/guest/%.c) -- "$(HOST_CC)" $(wildcard tests/host/*.c arch/host/*.c)

clean:
	$(Q)if [ -d $(B) ]; then find $(B) -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +; fi

distclean:
	rm -rf build build-*

help:
	@echo "make run        boot the ISO in QEMU; the shell is on this terminal (Ctrl-A X leaves)"
	@echo "                DISK=file: with a disk, which is made when there is none"
	@echo "                ROOT=debian: bash, gcc, gdb, python3, vim, tmux ... from Debian's i386 packages"
	@echo "make debian-root PACKAGES=...  that root with other packages"
	@echo "make self       builds the kernel on itself and on Linux, with Debian's gcc, and compares (an hour)"
	@echo "make run-gui    the same in a window"
	@echo "make test       every test; the last line counts them. T='-k vi' picks boot tests"
	@echo "make host-test  mm/ on the fake machine alone; make mutants: planted faults it must catch"
	@echo "make policies   replacement policies compared on recorded runs (docs/replacement.md)"
	@echo "make test-machines  every emulated machine, old and new; writes the table in docs/hardware.md"
	@echo "make usb DEVICE=/dev/sdX  write the image to a USB stick (asks first)"
	@echo "make web        build/web: a page that boots the kernel in the browser, memory drawn beside the terminal"
	@echo "make web-test   drives that page in a browser, through every experiment"
	@echo "make screenshots    the pictures in docs/pictures"
	@echo "make iso        build/faultline.iso; also: make kernel, make initrd, make user"
	@echo "make release    build/release/files: image, kernel, symbols, page, checksums, to hand on"
	@echo "make debug      a debug kernel, stopped, with gdb on it; PROGRAM=/bin/x: at its entry (or: make gdb)"
	@echo "                in two terminals: make run GDB=1, make gdb-attach"
	@echo "make record     a run that is recorded; make replay: the same run under gdb, also backwards"
	@echo "make bench      costs in guest instructions, side by side with Linux"
	@echo "make bench-wall  the same by the clock, in turns with Linux (BOOTS=5; an idle machine)"
	@echo "make bench-scale  what grows with the number of objects, and what does not"
	@echo "make bench-smp    what a second processor brings, beside Linux (wall time)"
	@echo "make bench-locks  how many processors the kernel's locks let work at once, by simulation"
	@echo "make profile ROW=fork  where the instructions of one row of the bench go, by function"
	@echo "make soak       the long random run (MINUTES=10 CPUS=4)"
	@echo "make lab NAME=cow     a tree in which parts of the kernel are to be written (docs/labs); SEED=, DIR="
	@echo "make grade NAME=cow   points for it, and which rules are broken; QUICK=1: without booting; DIR="
	@echo "make labs-test  the labs prove themselves: reduced trees, the whole one, wrong solutions"
	@echo "make lint       clang-format, sparse, clang-tidy, cppcheck"
	@echo "make compile_commands.json  what clangd reads"
	@echo "make fetch      try again to fetch Debian's i386 BusyBox and Linux (for comparison)"
	@echo "make clean      remove what was built; make distclean: and what was fetched"
	@echo "Variables: B=build-dir DEBUG=1 V=1 MEM=MiB CPUS=n APPEND='kernel options'"

.PHONY: all docs kernel initrd iso deps release run run-gui debug-images debug gdb gdb-attach record replay test bench bench-wall bench-scale bench-smp bench-locks profile soak lint fetch \
        compile_commands.json \
        clean distclean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:
