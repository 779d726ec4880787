/* /proc/latency: the longest stretches with interrupts off and without a chance to switch, and
 * between which two places. Whatever is written starts over. Recorded with the boot option
 * `latency`. */
#include "arch/latency.h"
#include "arch/thread.h"
#include "fs/proc/procfs.h"

static void show_place(struct text *t, const char *before, uintptr_t at)
{
    char name[64];

    code_name((uint32_t)at, name, sizeof(name));
    text_printf(t, "%s%s", before, name);
}

int show_latency(struct text *t, const struct target *who)
{
    static const char *const names[] = {
        [LATENCY_IRQ_OFF] = "irq_off", [LATENCY_NO_SWITCH] = "no_switch"};

    (void)who;
    if (!latency_on)
        text_printf(t, "not recorded: boot with the option latency\n");
    for (int i = 0; latency_on && i < LATENCY_KINDS; i++) {
        struct latency l;

        latency_get(i, &l);
        text_printf(t, "%-9s %10u ", names[i], (uint32_t)l.cycles);
        show_place(t, "from ", l.from);
        show_place(t, " to ", l.to);
        text_printf(t, "\n");
    }
    return 0;
}

int reset_latency(const char *text, size_t len, const struct target *who)
{
    (void)text, (void)len, (void)who;
    latency_reset();
    return 0;
}
