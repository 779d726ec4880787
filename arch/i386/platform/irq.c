/*
 * Interrupt lines at vectors 32-47, through the two 8259A controllers or the I/O APIC: each line
 * through one of them.
 *
 * Lines start masked and are opened by the first irq_register(). Handlers of a line are in a list
 * that only grows. Lines 7 and 15 may fire for nothing: such an interrupt is not in service and
 * gets no end-of-interrupt (the master does, for a spurious 15).
 */
#include "arch/latency.h"
#include "arch/i386/platform/apic.h"
#include "arch/i386/i386.h"
#include "arch/io.h"
#include "arch/lock.h"
#include "arch/upcalls.h"
#include "libc/errno.h"

#define IRQ_LINES   16u
#define MAX_ACTIONS 24u

#define PIC1         0x20
#define PIC2         0xa0
#define PIC_EOI      0x20
#define PIC_READ_ISR 0x0b
#define CASCADE      2u

struct irq_action {
    irq_handler_t fn;
    void *arg;
    struct irq_action *next;
};

static struct spinlock irq_lock = SPINLOCK_INIT("irq", LOCK_RANK_LEAF);
static struct irq_action pool[MAX_ACTIONS];         /* [irq_lock] */
static unsigned pool_used;                          /* [irq_lock] */
static struct irq_action *actions[IRQ_LINES];       /* [irq_lock] to add; read by interrupts */
static uint16_t by_apic;                            /* [irq_lock] lines through the I/O APIC */
static uint32_t counts[IRQ_LINES];                  /* [the line] since boot */
static uint16_t masked = 0xffff & ~(1u << CASCADE); /* [irq_lock] */

static void write_masks(void)
{
    outb(PIC1 + 1, (uint8_t)masked);
    outb(PIC2 + 1, (uint8_t)(masked >> 8));
}

static void init_one(uint16_t port, uint8_t vector, uint8_t wiring)
{
    outb(port, 0x11); /* ICW1: edge-triggered, cascaded, ICW4 follows */
    io_delay();
    outb(port + 1, vector);
    io_delay();
    outb(port + 1, wiring);
    io_delay();
    outb(port + 1, 0x01); /* ICW4: 8086 mode */
    io_delay();
}

void pic_init(void)
{
    init_one(PIC1, TRAP_IRQ_BASE, 1u << CASCADE);
    init_one(PIC2, TRAP_IRQ_BASE + 8, CASCADE);
    write_masks();
}

/* [irq_lock] */
static void open_line(unsigned irq)
{
    if (by_apic & (1u << irq))
        return;
    if (apic_route(irq)) {
        by_apic |= (uint16_t)(1u << irq);
        return;
    }
    masked &= (uint16_t) ~(1u << irq);
    write_masks();
}

void irq_mask(unsigned irq, bool mask)
{
    spin_lock(&irq_lock);
    if (by_apic & (1u << irq)) {
        apic_mask(irq, mask);
    } else {
        masked = (uint16_t)(mask ? masked | 1u << irq : masked & ~(1u << irq));
        write_masks();
    }
    spin_unlock(&irq_lock);
}

void irq_fall_back(unsigned irq)
{
    spin_lock(&irq_lock);
    if (by_apic & (1u << irq)) {
        apic_mask(irq, true);
        by_apic &= (uint16_t) ~(1u << irq);
        masked &= (uint16_t) ~(1u << irq);
        write_masks();
    }
    spin_unlock(&irq_lock);
}

int irq_register(unsigned irq, irq_handler_t fn, void *arg)
{
    int ret = -ENOMEM;

    if (irq >= IRQ_LINES || irq == CASCADE || !fn)
        return -EINVAL;
    spin_lock(&irq_lock);
    if (pool_used < MAX_ACTIONS) {
        struct irq_action *a = &pool[pool_used++];
        *a = (struct irq_action){fn, arg, actions[irq]};
        __atomic_store_n(&actions[irq], a, __ATOMIC_RELEASE);
        open_line(irq);
        ret = 0;
    }
    spin_unlock(&irq_lock);
    return ret;
}

const char *irq_chip(unsigned irq)
{
    return by_apic & 1u << irq ? "IO-APIC" : "XT-PIC";
}

bool irq_count(unsigned irq, uint32_t *count)
{
    if (irq >= IRQ_LINES || !actions[irq])
        return false;
    *count = counts[irq];
    return true;
}

static bool in_service(uint16_t port, unsigned bit)
{
    outb(port, PIC_READ_ISR);
    return inb(port) & (1u << bit);
}

static bool is_spurious(unsigned irq)
{
    if (irq == 7)
        return !in_service(PIC1, 7);
    if (irq != 15 || in_service(PIC2, 7))
        return false;
    outb(PIC1, PIC_EOI);
    return true;
}

/* A kick has done what it is for: this processor has left what it was at, and looks what is wanted.
 */
static void apic_interrupt(const struct trapframe *tf, struct cpu *c)
{
    c->irq_depth++;
    if (tf->trapno == APIC_TIMER_VECTOR) {
        clock_apic_timer();
    } else if (tf->trapno == APIC_TICK_VECTOR) {
        c->ticks++;
        processor_tick(trap_from_user(tf));
    } else {
        c->kicks++;
    }
    c->irq_depth--;
    apic_eoi();
}

static void handle_irq(struct trapframe *tf)
{
    unsigned irq = tf->trapno - TRAP_IRQ_BASE;
    struct cpu *c = cpu_self();

    c->irq_frame = tf;
    if (tf->trapno >= APIC_TIMER_VECTOR) {
        apic_interrupt(tf, c);
        return;
    }
    bool apic = by_apic & (1u << irq);
    if (!apic && is_spurious(irq))
        return;
    counts[irq]++;
    c->irq_depth++;
    for (struct irq_action *a = actions[irq]; a; a = a->next)
        a->fn(a->arg);
    c->irq_depth--;
    irq_after(tf, irq);
    if (apic) {
        apic_eoi();
        return;
    }
    if (irq >= 8)
        outb(PIC2, PIC_EOI);
    outb(PIC1, PIC_EOI);
}

/* From entry.asm, interrupts off. */
void irq_dispatch(struct trapframe *tf)
{
    latency_begin(LATENCY_IRQ_OFF);
    handle_irq(tf);
    latency_end(LATENCY_IRQ_OFF);
}
