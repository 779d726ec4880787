/* Ending: power off, reset, halt, and QEMU's exit device for automation. */
#include "arch/i386/platform/acpi.h"
#include "arch/i386/i386.h"
#include "arch/io.h"
#include "arch/thread.h"
#include "kernel/base/log.h"

#define DEBUG_EXIT      0x501  /* isa-debug-exit,iobase=0x501: a write ends QEMU */
#define PM1A_QEMU       0x604  /* ACPI PM1a control of QEMU's pc and q35 */
#define PM1A_BOCHS      0xb004 /* of Bochs and old QEMU */
#define PM1A_VIRTUALBOX 0x4004
#define SLP_EN          0x2000 /* with sleep type 0: S5 on QEMU */
#define SLP_VIRTUALBOX  0x3400

#define KBD_STATUS      0x64
#define KBD_INPUT_FULL  0x02
#define KBD_PULSE_RESET 0xfe
#define RESET_CONTROL   0xcf9

#define SPIN 100000 /* polls before the next way is tried */

/* Without the device the port reads as ones, and may be another's: Bochs has its own there. */
void debug_exit(uint8_t value)
{
    if (inb(DEBUG_EXIT) != 0xff)
        outb(DEBUG_EXIT, value);
}

static void spin(void)
{
    for (int i = 0; i < SPIN; i++)
        cpu_relax();
}

/* Without ACPI only emulators can be told anything, each at a port of its own. */
static void power_off_emulators(void)
{
    outw(PM1A_QEMU, SLP_EN);
    outw(PM1A_BOCHS, SLP_EN);
    outw(PM1A_VIRTUALBOX, SLP_VIRTUALBOX);
    spin();
}

_Noreturn void power_off(void)
{
    irq_disable();
    acpi_power_off();
    spin();
    if (!acpi.present)
        power_off_emulators();
    klog(LOG_EMERG, "This machine does not power off by itself: switch it off now.\n");
    cpu_halt();
}

static void reset_by_keyboard(void)
{
    for (int i = 0; i < SPIN && (inb(KBD_STATUS) & KBD_INPUT_FULL); i++)
        ;
    outb(KBD_STATUS, KBD_PULSE_RESET);
    spin();
}

static void reset_by_chipset(void)
{
    outb(RESET_CONTROL, 0x02); /* a hard reset ... */
    io_delay();
    outb(RESET_CONTROL, 0x06); /* ... now */
    spin();
}

/* An exception with no interrupt table is a triple fault: the CPU resets. */
static void reset_by_triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) nothing = {0, 0};

    __asm__ volatile("lidt %0; int3" : : "m"(nothing));
}

_Noreturn void power_reset(void)
{
    irq_disable();
    acpi_reset();
    spin();
    reset_by_keyboard();
    reset_by_chipset();
    reset_by_triple_fault();
    cpu_halt();
}
