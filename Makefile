# The only entry point. make help tells what there is.

B       := build
CC      := gcc
AS      := nasm
DEBUG   ?= 0

ARCHFLAGS := -m32 -march=i586 -mgeneral-regs-only -ffreestanding -fno-pic -fno-pie \
             -fno-stack-protector -fno-asynchronous-unwind-tables -fno-omit-frame-pointer
WARN    := -std=gnu11 -Wall -Wextra -Werror
KFLAGS  := $(ARCHFLAGS) $(WARN) -O2 -g -I. -fno-builtin-printf
ifeq ($(DEBUG),1)
KFLAGS  += -DCONFIG_DEBUG
endif

LIBC_SHARED := libc/string.c libc/printf.c
KSRC    := $(wildcard arch/i386/*.c mm/*.c kernel/*.c fs/*.c drivers/*.c) $(LIBC_SHARED)
KASM    := $(wildcard boot/*.asm arch/i386/*.asm)
KOBJ    := $(KSRC:%.c=$(B)/%.o) $(KASM:%.asm=$(B)/%.asm.o)

all: $(B)/faultline.elf

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(KFLAGS) -MMD -MP -c $< -o $@

$(B)/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(AS) -f elf32 -g -F dwarf $< -o $@

$(B)/faultline.elf: $(KOBJ) boot/linker.ld
	$(CC) -m32 -nostdlib -static -no-pie -Wl,--build-id=none -T boot/linker.ld -o $@ $(KOBJ) -lgcc

-include $(KOBJ:.o=.d)

clean:
	rm -rf $(B)

.PHONY: all clean
