# linux-gate.so.1, the object that every program finds in its memory, and its place in the kernel.

VDSO_CFLAGS := -m32 -march=i486 -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wno-missing-prototypes -ffreestanding \
               -fPIC -fvisibility=hidden -fno-stack-protector -fomit-frame-pointer -fasynchronous-unwind-tables \
               -mgeneral-regs-only -I.
VDSO_LDFLAGS := -m elf_i386 -shared -T vdso/vdso.ld -soname linux-gate.so.1 --hash-style=both --eh-frame-hdr \
                --build-id=none -Bsymbolic -z noexecstack -z max-page-size=4096
VDSO_PLACES := __kernel_(vsyscall|vsyscall.enter|vsyscall.landing|sigreturn|rt_sigreturn)

$(B)/vdso/clock.o: vdso/clock.c arch/clock_page.h vdso/build.mk
	@mkdir -p $(@D)
	$(call say,CC vdso $<)
	$(Q)$(CC) $(VDSO_CFLAGS) -c $< -o $@

$(B)/vdso/entry.o: vdso/entry.asm
	@mkdir -p $(@D)
	$(call say,NASM    $<)
	$(Q)$(AS) -f elf32 $< -o $@

# With symbols, for gdb; the kernel carries it without.
$(B)/vdso/linux-gate.so.dbg: $(B)/vdso/entry.o $(B)/vdso/clock.o vdso/vdso.ld
	$(call say,LINK    $@)
	$(Q)ld $(VDSO_LDFLAGS) -o $@ $(B)/vdso/entry.o $(B)/vdso/clock.o
	$(Q)! readelf -r $@ | grep R_386 || { echo "the vDSO cannot be relocated"; exit 1; }

$(B)/vdso/linux-gate.so: $(B)/vdso/linux-gate.so.dbg
	$(Q)objcopy -S $< $@
	$(Q)[ $$(stat -c %s $@) -le 4096 ] || { echo "the vDSO is longer than a page"; exit 1; }

$(B)/vdso/places.inc: $(B)/vdso/linux-gate.so.dbg
	$(Q)nm $< | sed 's/@.*//' | awk '$$3 ~ /^($(VDSO_PLACES))$$/ { sub("__kernel_", "", $$3); sub("[.]", "_", $$3); \
	    print "global vdso_" $$3 "\nvdso_" $$3 ": dd 0x" $$1 }' >$@

$(B)/vdso/image.o: vdso/image.asm $(B)/vdso/linux-gate.so $(B)/vdso/places.inc
	$(Q)$(AS) -f elf32 -DIMAGE='"$(B)/vdso/linux-gate.so"' -DPLACES='"$(B)/vdso/places.inc"' $< -o $@
