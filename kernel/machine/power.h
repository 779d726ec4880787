/* The end of the machine, asked for. The power button's call is in arch/upcalls.h. */
#ifndef KERNEL_POWER_H
#define KERNEL_POWER_H

#include <stdbool.h>

/* ok: whether automation is to take it for a success (QEMU's isa-debug-exit). */
_Noreturn void machine_power_off(bool ok);
_Noreturn void machine_restart(void);
_Noreturn void machine_halt(void);

/* Ctrl-Alt-Del, from the keyboard with no locks held: restarts at once, or init decides. */
void machine_ctrl_alt_del(void);
void machine_set_ctrl_alt_del(bool restarts);

#endif
