# Our own programs and their C library, and the guest tests.
#
#   $(B)/user/NAME     static, built from user/NAME/*.c on libc/; a program is a folder, named nowhere else
#                      (user/shared/ is what several of them use)
#   $(B)/guest/init    runs the guest tests on Faultline
#   $(B)/guest/NAME    tests/guest/NAME.c: an ordinary static glibc program that also runs on the host
#
# $(B)/user/tools is a multi-call binary: install it once and link it to every name in USER_TOOLS.

USER_PROGRAMS := $(filter-out shared,$(sort $(notdir $(patsubst %/,%,$(dir $(wildcard user/*/*.c))))))
USER_TOOLS    := cat cp dmesg echo free halt kill ls man mkdir mount poweroff ps reboot resize rm sleep umount uname

USER_CFLAGS := -m32 -march=i486 -std=gnu11 -O2 -g -Wall -Wextra -Werror -ffreestanding -fno-pic -fno-pie \
               -fno-stack-protector -fno-asynchronous-unwind-tables -nostdinc \
               -isystem $(shell $(CC) -m32 -print-file-name=include) -Ilibc/include -I.
USER_LDFLAGS := -m32 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack

USER_CRT0     := $(B)/user/obj/libc/user/crt0.asm.o
USER_SRC      := $(wildcard libc/user/*.c user/*/*.c tests/guest/init/*.c)
USER_LIBC_OBJ := $(patsubst %.c,$(B)/user/obj/%.o,$(wildcard libc/user/*.c) libc/string.c libc/printf.c)
USER_OBJ      := $(patsubst %.c,$(B)/user/obj/%.o,$(wildcard user/*/*.c))
USER_BIN      := $(addprefix $(B)/user/,$(USER_PROGRAMS))

$(B)/user/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC user $<)
	$(Q)$(CC) $(USER_CFLAGS) -MMD -MP -c $< -o $@

$(B)/user/obj/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(call say,NASM    $<)
	$(Q)$(AS) -f elf32 $< -o $@

$(B)/user/libc.a: $(USER_LIBC_OBJ)
	$(Q)rm -f $@
	$(Q)ar rcsD $@ $^

.SECONDEXPANSION:
$(USER_BIN): $(B)/user/%: $(USER_CRT0) $(B)/user/libc.a \
             $$(addprefix $(B)/user/obj/,$$(addsuffix .o,$$(basename $$(wildcard user/$$*/*.c))))
	$(call say,LINK    $@)
	$(Q)$(CC) $(USER_LDFLAGS) -o $@ $(filter %.o,$^) $(B)/user/libc.a -lgcc

$(B)/user/faults $(B)/user/memmap: $(addprefix $(B)/user/obj/user/shared/,event.o watch.o)

$(B)/user/init $(B)/user/tools: $(B)/user/obj/user/shared/window.o

user: $(USER_BIN)

# The tests pass bad pointers on purpose.
GUEST_CFLAGS := -m32 -static -s -O1 -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-nonnull \
                -Wno-stringop-overflow -Wno-stringop-overread -Wno-clobbered
GUEST_TESTS := $(patsubst tests/guest/%.c,%,$(wildcard tests/guest/*.c))
GUEST_BIN   := $(addprefix $(B)/guest/,$(GUEST_TESTS))

$(GUEST_BIN): $(B)/guest/%: tests/guest/%.c $(wildcard tests/guest/*.h)
	@mkdir -p $(@D)
	$(call say,CC guest $<)
	$(Q)$(CC) $(GUEST_CFLAGS) -o $@ $<

# Runs them all on Faultline; a program of ours, so that it needs no more of the kernel than init.
$(B)/guest/init: $(USER_CRT0) $(B)/user/obj/tests/guest/init/init.o $(B)/user/libc.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_LDFLAGS) -o $@ $(filter %.o,$^) $(B)/user/libc.a -lgcc

# System calls at random, as the first program of a machine.
$(B)/guest/fuzz: tests/guest/fuzz/fuzz.c
	@mkdir -p $(@D)
	$(call say,CC guest $<)
	$(Q)$(CC) $(GUEST_CFLAGS) -Wno-unused-result -o $@ $<

guest: $(GUEST_BIN) $(B)/guest/init $(B)/guest/fuzz

-include $(USER_OBJ:.o=.d) $(USER_LIBC_OBJ:.o=.d)

.PHONY: user guest
