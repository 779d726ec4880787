/* How the machine ends, and what its keys and buttons ask of init. */
#include "kernel/machine/power.h"
#include "arch/cpu.h"
#include "arch/thread.h"
#include "arch/upcalls.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"

/* What QEMU's isa-debug-exit, where it is, makes of an orderly end and of another: 33 and 35. */
#define EXIT_VALUE_OK     0x10
#define EXIT_VALUE_FAILED 0x11

static bool ctrl_alt_del_restarts = true;

void machine_power_off(bool ok)
{
    klog(LOG_INFO, "reboot: Power down\n");
    debug_exit(ok ? EXIT_VALUE_OK : EXIT_VALUE_FAILED);
    power_off();
}

void machine_restart(void)
{
    klog(LOG_INFO, "reboot: Restarting system\n");
    power_reset();
}

void machine_halt(void)
{
    klog(LOG_INFO, "reboot: System halted\n");
    cpu_halt();
}

static void signal_init_process(int signo)
{
    spin_lock(&proc_lock);
    if (init_proc)
        signal_send_proc(init_proc, signo, NULL);
    spin_unlock(&proc_lock);
}

void machine_set_ctrl_alt_del(bool restarts)
{
    ctrl_alt_del_restarts = restarts;
}

void machine_ctrl_alt_del(void)
{
    if (ctrl_alt_del_restarts)
        machine_restart();
    signal_init_process(SIGINT);
}

/* As init programs of the BusyBox kind understand it. */
void power_button(void)
{
    signal_init_process(SIGUSR2);
}
