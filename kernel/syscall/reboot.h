/* The end of the machine, asked for. */
#ifndef KERNEL_REBOOT_H
#define KERNEL_REBOOT_H

#include <stdbool.h>

/* ok: whether automation is to take it for a success (QEMU's isa-debug-exit). */
_Noreturn void machine_power_off(bool ok);
_Noreturn void machine_restart(void);
void machine_ctrl_alt_del(void); /* from the keyboard, no locks held */
void machine_power_button(void); /* likewise: init powers off, or does nothing */

#endif
