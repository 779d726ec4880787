/*
 * Several processors: how they are started, how they come into the kernel (kernel_lock.c), what
 * they send each other.
 *
 * While there is one processor the entries call what they are for directly; share_kernel() puts the
 * functions of this file in between.
 */
#include "arch/processors.h"
#include "arch/lock.h"
#include "arch/i386/i386.h"
#include "arch/i386/platform/acpi.h"
#include "arch/i386/platform/apic.h"
#include "arch/i386/platform/kernel_lock.h"
#include "arch/i386/platform/shootdown.h"
#include "arch/thread.h"
#include "arch/upcalls.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "libc/assert.h"
#include "libc/printf.h"
#include "libc/string.h"

#define LOW_MEMORY 0xa0000u
#define ANSWER_NS  1000000000ull /* how long a processor may take to start: a host may be busy */
#define INIT_NS    10000000ull   /* [SDM 3A 8.4.4] */
#define STARTUP_NS 200000ull

unsigned cpus_online = 1;

static struct cpu *cpus[CPUS_MAX] = {&boot_cpu};
static paddr_t trampoline; /* a frame below 1 MiB; 0: there is none */

struct cpu *cpu_get(unsigned id)
{
    return id < cpus_online ? cpus[id] : NULL;
}

/* ---- Waiting ---- */

/* An emulator leaves its loop at every pause and takes a lock, which the one that is waited for may
 * need to be interrupted: so pauses are seldom. */
void wait_a_little(uint32_t rounds)
{
    if (rounds % 1024 == 0)
        cpu_relax();
    else
        __asm__ volatile("" : : : "memory");
}

void cpu_answer(uint32_t rounds)
{
    if (cpus_online > 1)
        shootdown_answer(cpu_self());
    wait_a_little(rounds);
}

void spin_wait(struct spinlock *l);
void spin_wait(struct spinlock *l)
{
    for (uint32_t rounds = 1; l->held & LOCK_HELD; rounds++)
        if (!spin_close_shared(l))
            cpu_answer(rounds);
}

/* ---- Into the kernel ---- */

void kernel_lock_halt(void)
{
    apic_only_urgent(true);
    cpu_wait();
    irq_disable();
    apic_only_urgent(false);
}

void kernel_take(void)
{
    kernel_enter(cpu_self());
}

void kernel_change(bool had)
{
    uint32_t flags = irq_save();

    if (had)
        kernel_enter(cpu_self());
    else
        kernel_leave();
    irq_restore(flags);
}

/* A shootdown that asks nothing. */
void kernel_lock_wake(struct cpu *c)
{
    shootdown_send(c);
}

void cpu_idle(void)
{
    if (cpus_online == 1) {
        cpu_wait();
        return;
    }
    kernel_leave();
    cpu_wait();
}

/* Comes to a processor that has the lock, waits for it, or has vm_lock and so must not wait for it:
 * an NMI, or what a debugger has put into the kernel's text. */
static bool is_out_of_turn(const struct trapframe *tf)
{
    return !trap_from_user(tf) &&
           (tf->trapno == TRAP_NMI || tf->trapno == TRAP_DEBUG || tf->trapno == TRAP_BREAKPOINT);
}

/* What the entries call, instead of the function itself, where the kernel is shared. What came from
 * kernel mode without the lock found its processor idle, in a call beside the lock, or on its last
 * instructions to user mode. */
#define SHARED(name)                                                                               \
    void shared_##name(struct trapframe *tf);                                                      \
    void shared_##name(struct trapframe *tf)                                                       \
    {                                                                                              \
        bool entered = !cpu_self()->in_kernel && !is_out_of_turn(tf);                              \
                                                                                                   \
        if (entered)                                                                               \
            kernel_enter(cpu_self());                                                              \
        name(tf);                                                                                  \
        if (entered && !trap_from_user(tf)) {                                                      \
            irq_disable();                                                                         \
            kernel_leave();                                                                        \
        }                                                                                          \
    }

static void trap_in_kernel(struct trapframe *tf)
{
    trap_dispatch(tf);
}
SHARED(trap_in_kernel)
static void fault_in_kernel(struct trapframe *tf)
{
    page_fault(tf);
}
SHARED(fault_in_kernel)
static void call_in_kernel(struct trapframe *tf)
{
    syscall_dispatch(tf);
}
SHARED(call_in_kernel)
static void sysenter_in_kernel(struct trapframe *tf)
{
    sysenter_dispatch(tf);
}
SHARED(sysenter_in_kernel)
static void irq_in_kernel(struct trapframe *tf)
{
    irq_dispatch(tf);
}
SHARED(irq_in_kernel)
SHARED(return_to_user)

/* A fix-up touches nothing that others share, and comes where this processor waits for the lock: a
 * shootdown loads the program's selectors. */
void shared_trap_dispatch(struct trapframe *tf);
void shared_trap_dispatch(struct trapframe *tf)
{
    if (trap_from_user(tf) || is_out_of_turn(tf) || !extable_fixup(tf))
        shared_trap_in_kernel(tf);
}

/* A kick is counted, by the processor that it is for; what it is to look at comes after. */
void shared_irq_dispatch(struct trapframe *tf);
void shared_irq_dispatch(struct trapframe *tf)
{
    if (tf->trapno == APIC_KICK_VECTOR)
        irq_dispatch(tf);
    else
        shared_irq_in_kernel(tf);
}

/* Most faults of programs need no more than vm_lock. Interrupts stay off, and what else is to be
 * done on the way to user mode takes the kernel lock by itself. */
void shared_page_fault(struct trapframe *tf);
void shared_page_fault(struct trapframe *tf)
{
    vaddr_t addr = read_cr2();

    if (!trap_from_user(tf) || addr >= USER_TOP || !trap_fault_alone(tf, addr))
        shared_fault_in_kernel(tf);
}

/* Some calls need nothing that it guards. Interrupts are on, and take it as they do where it is
 * idle. */
void shared_syscall_dispatch(struct trapframe *tf);
void shared_syscall_dispatch(struct trapframe *tf)
{
    if (!syscall_alone(tf))
        shared_call_in_kernel(tf);
}

void shared_sysenter_dispatch(struct trapframe *tf);
void shared_sysenter_dispatch(struct trapframe *tf)
{
    if (!sysenter_alone(tf))
        shared_sysenter_in_kernel(tf);
}

/* linker.ld, entry.asm: a call's displacement, and the function to call instead. */
struct shared_call {
    uint8_t *displacement;
    void (*fn)(struct trapframe *tf);
};
extern const struct shared_call shared_calls_start[], shared_calls_end[];
extern uint8_t leave_site[];

#define CALL 0xe8

static bool shared;

static void put_call(uint8_t *displacement, uint32_t to)
{
    uint32_t distance = to - ((uint32_t)displacement + 4);

    memcpy(displacement, &distance, 4);
}

/* With one processor still, which is in the kernel. */
static void share_kernel(void)
{
    uint32_t flags = irq_save(), cr0 = read_cr0();

    shared = true;
    write_cr0(cr0 & ~CR0_WP);
    for (const struct shared_call *s = shared_calls_start; s < shared_calls_end; s++)
        put_call(s->displacement, (uint32_t)s->fn);
    put_call(leave_site + 1, (uint32_t)kernel_leave);
    *leave_site = CALL;
    write_cr0(cr0);
    write_cr3(read_cr3()); /* serializes [SDM 3A 8.1.3] */
    kernel_lock_first();
    irq_restore(flags);
}

/* ---- Shootdowns: shootdown.c ---- */

void shootdown_send(struct cpu *c)
{
    apic_send(c->apic_id, APIC_SHOOTDOWN_VECTOR);
}

void shootdown_forget(struct cpu *c, pde_t *pgdir, vaddr_t va, unsigned pages)
{
    if (va >= USER_TOP)
        invlpg(va);
    else if (c->pgdir == pgdir)
        mmu_forget_pages(pgdir, va, pages);
}

void shootdown_interrupt(const struct trapframe *tf);
void shootdown_interrupt(const struct trapframe *tf)
{
    struct cpu *c = cpu_self();

    c->held_at = tf;
    shootdown_answer(c);
    c->held_at = NULL;
    apic_eoi();
}

void cpu_kick(struct cpu *c)
{
    apic_send(c->apic_id, APIC_KICK_VECTOR);
}

void cpu_send_tick(struct cpu *c)
{
    apic_send(c->apic_id, APIC_TICK_VECTOR);
}

/* ---- Starting ---- */

/* boot/trampoline.asm */
extern uint8_t trampoline_start[], trampoline_end[], trampoline_protected[], trampoline_gdt[],
    trampoline_gdt_base[], trampoline_far[], trampoline_cr4[], trampoline_pgdir[], trampoline_esp[],
    trampoline_main[];

static struct cpu *starting;
static void (*starting_run)(void);

void trampoline_reserve(void)
{
    trampoline = memmap_take_frame(LOW_MEMORY);
}

unsigned cpus_found(void)
{
    unsigned n = acpi.apics.cpus < CPUS_MAX ? acpi.apics.cpus : CPUS_MAX;
    char most[8];

    if (!apic_present() || !trampoline || boot_flag("nosmp") || boot_flag("latency"))
        return 1;
    if (boot_option("maxcpus", most, sizeof(most)) && strtoul(most, NULL, 0) < n)
        n = strtoul(most, NULL, 0);
    return n ? n : 1;
}

/* Where a word of the trampoline lies in its frame. */
static void put_word(const uint8_t *word, uint32_t value)
{
    memcpy((uint8_t *)phys_to_virt(trampoline) + (word - trampoline_start), &value, 4);
}

static uint32_t place_of(const uint8_t *p)
{
    return trampoline + (uint32_t)(p - trampoline_start);
}

/* The first instructions of the new processor in C, on the stack of its first thread. */
static NO_STACK_GUARD _Noreturn void further_main(void)
{
    struct cpu *c = starting;

    if (!c) /* too late */
        cpu_halt();
    gdt_load(c);
    idt_load();
    cpu_control_same();
    invlpg(trampoline);
    fpu_init_further();
    sysenter_init();
    apic_init_further();
    c->stack_guard = c->current->stack_guard;
    c->first_cycles = cpu_cycles();
    __atomic_store_n(&c->started, true, __ATOMIC_RELEASE);
    kernel_enter(c);
    starting_run();
    __builtin_unreachable();
}

static void prepare_trampoline(const struct arch_thread *t)
{
    memcpy(phys_to_virt(trampoline), trampoline_start, (size_t)(trampoline_end - trampoline_start));
    put_word(trampoline_gdt_base, place_of(trampoline_gdt));
    put_word(trampoline_far, place_of(trampoline_protected));
    put_word(trampoline_cr4, cpu_features & CPU_PSE ? CR4_PSE : 0);
    put_word(trampoline_pgdir, virt_to_phys(kernel_pgdir));
    put_word(trampoline_esp, t->kstack_top - 16);
    put_word(trampoline_main, (uint32_t)further_main);
    kernel_pgdir[0] = virt_to_phys(kernel_tables) | PTE_P | PTE_W; /* lent */
}

static void wait_ns(uint64_t ns)
{
    uint64_t until = clock_mono_ns() + ns;

    for (uint32_t rounds = 1; clock_mono_ns() < until; rounds++)
        wait_a_little(rounds);
}

/* [SDM 3A 8.4.4] */
static bool wake_up(struct cpu *c)
{
    uint64_t until;

    apic_send(c->apic_id, APIC_INIT);
    wait_ns(INIT_NS);
    for (unsigned i = 0; i < 2 && !c->started; i++) {
        apic_send(c->apic_id, APIC_STARTUP | trampoline >> PAGE_SHIFT);
        wait_ns(STARTUP_NS);
    }
    until = clock_mono_ns() + ANSWER_NS;
    for (uint32_t rounds = 1; !c->started && clock_mono_ns() < until; rounds++)
        wait_a_little(rounds);
    return c->started;
}

/* The clock's readers may be anywhere: what they read has to go on from one to the other. */
static void compare_counters(const struct cpu *c, uint64_t before)
{
    if (c->first_cycles >= before && c->first_cycles <= cpu_cycles())
        return;
    klog(LOG_WARN, "Clock: the time-stamp counters of the processors differ: not used\n");
    clock_without_tsc();
}

/* The table's number n, not counting the first processor, which may stand anywhere in it. */
static uint32_t apic_id_of(unsigned n)
{
    for (unsigned i = 0; i < acpi.apics.cpus && i < ACPI_MAX_CPUS; i++)
        if (acpi.apics.cpu_id[i] != boot_cpu.apic_id && --n == 0)
            return acpi.apics.cpu_id[i];
    return boot_cpu.apic_id;
}

struct cpu *cpu_start(void *const pages[CPU_PAGES], struct arch_thread *t, struct runqueue *queue,
                      void (*run)(void))
{
    static unsigned tried; /* of the table */
    uint64_t before = cpu_cycles();
    struct cpu *c = gdt_make_cpu(pages[0], pages[1]);

    if (!tried)
        boot_cpu.apic_id = apic_id();
    if (!shared)
        share_kernel();
    c->id = cpus_online;
    c->apic_id = apic_id_of(++tried);
    c->current = t;
    c->queue = queue;
    starting = c;
    starting_run = run;
    if (c->apic_id == boot_cpu.apic_id)
        return NULL;
    prepare_trampoline(t);
    if (!wake_up(c)) {
        klog(LOG_WARN, "Processor with APIC %u does not answer; it is left alone\n",
             (unsigned)c->apic_id);
        apic_send(c->apic_id, APIC_INIT); /* nor does it come up late, on the next one's stack */
        starting = NULL;
        return NULL;
    }
    compare_counters(c, before);
    cpus[cpus_online] = c;
    __atomic_store_n(&cpus_online, cpus_online + 1, __ATOMIC_RELEASE);
    return c;
}

void cpus_started(void)
{
    klog(LOG_INFO, "Processors: %u of %u\n", cpus_online, acpi.apics.cpus);
    if (boot_flag("noshootdown")) {
        shootdowns_leave_out();
        klog(LOG_WARN, "Shootdowns are left out: what a processor has cached stays so\n");
    }
    kernel_pgdir[0] = 0;
    invlpg(trampoline);
}
