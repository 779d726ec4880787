/*
 * What gdb sees of this machine: every thread of every process, an idle one for each processor,
 * their registers and memory, and the breakpoints it set. Looked at with interrupts off and without
 * locks: whoever held one is stopped.
 *
 * A breakpoint in the kernel is an int3 written over its text. One in a program is a hardware
 * point, since the page with the code may be another process's too.
 */
#include "arch/debug.h"
#include "arch/mmu.h"
#include "arch/processors.h"
#include "kernel/debug/gdbstub.h"
#include "kernel/thread/proc.h"
#include "libc/printf.h"
#include "libc/string.h"

#define MAX_BREAKPOINTS 32

/* Numbers as in gdb_description: 0-15 general, 16-23 st0-7 (10 bytes), 24-31 of the FPU, 32-35
 * control. The FPU's are not known. */
#define FIRST_FPU     16u
#define FIRST_CONTROL 32u

enum { R_EAX, R_ECX, R_EDX, R_EBX, R_ESP, R_EBP, R_ESI, R_EDI, R_EIP, R_EFLAGS, R_CS, R_SS };

#define REG(name, type) "<reg name=\"" name "\" bitsize=\"32\" type=\"" type "\"/>"
#define INT(name)       REG(name, "int32")
#define FPU(name)       "<reg name=\"" name "\" bitsize=\"80\" type=\"i387_ext\"/>"
#define FPU_STATE(name) "<reg name=\"" name "\" bitsize=\"32\" type=\"int\" group=\"float\"/>"

const char gdb_description[] =
    "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
    "<architecture>i386</architecture><feature name=\"org.gnu.gdb.i386.core\">" INT("eax") INT(
        "ecx") INT("edx") INT("ebx") REG("esp", "data_ptr") REG("ebp", "data_ptr") INT("esi")
        INT("edi") REG("eip", "code_ptr") INT("eflags") INT("cs") INT("ss") INT("ds") INT("es")
            INT("fs") INT("gs") FPU("st0") FPU("st1") FPU("st2") FPU("st3") FPU("st4") FPU("st5")
                FPU("st6") FPU("st7") FPU_STATE("fctrl") FPU_STATE("fstat") FPU_STATE("ftag")
                    FPU_STATE("fiseg") FPU_STATE("fioff") FPU_STATE("foseg") FPU_STATE("fooff")
                        FPU_STATE("fop") "</feature><feature name=\"faultline.control\">" INT("cr0")
                            INT("cr2") INT("cr3") INT("cr4") "</feature></target>";

static struct {
    uint32_t va;
    uint8_t original;
} breakpoints[MAX_BREAKPOINTS];
static unsigned nbreakpoints;

/* ---- Threads ---- */

static bool is_idle(const struct thread *t)
{
    return t->cpu && t == t->cpu->idle;
}

/* Whether it ran on another processor when the machine stopped. */
static bool runs_elsewhere(const struct thread *t)
{
    return t->on_cpu && t->cpu != cpu_self();
}

uint32_t gdb_thread_id(const struct thread *t)
{
    return t->tid ? (uint32_t)t->tid : GDB_IDLE_ID + (t->cpu ? t->cpu->id : 0);
}

static struct thread *first_thread_of(struct list *from)
{
    for (struct list *at = from->next; at != &all_procs; at = at->next) {
        struct proc *p = container_of(at, struct proc, all_link);
        if (!list_empty(&p->threads))
            return list_first_entry(&p->threads, struct thread, proc_link);
    }
    return NULL;
}

struct thread *gdb_next_thread(struct thread *t)
{
    if (!t)
        return cpu_get(0)->idle;
    if (is_idle(t)) {
        const struct cpu *next = cpu_get(t->cpu->id + 1);
        return next ? next->idle : first_thread_of(&all_procs);
    }
    if (t->proc_link.next != &t->proc->threads)
        return container_of(t->proc_link.next, struct thread, proc_link);
    return first_thread_of(&t->proc->all_link);
}

struct thread *gdb_thread(uint32_t id)
{
    struct thread *t = NULL;

    while ((t = gdb_next_thread(t)))
        if (gdb_thread_id(t) == id)
            return t;
    return NULL;
}

void gdb_describe_thread(const struct thread *t, char *buf, size_t size)
{
    static const char *const states[] = {"runnable", "sleeping", "blocked", "stopped", "dead"};
    const char *state = t == thread_current() || t->on_cpu            ? "running"
                        : t->state < sizeof(states) / sizeof(*states) ? states[t->state]
                                                                      : "?";

    char where[16] = "";

    if (t->on_cpu && cpus_online > 1)
        snprintf(where, sizeof(where), ", CPU %u", (unsigned)t->cpu->id);
    if (is_idle(t))
        snprintf(buf, size, "idle%s", where);
    else
        snprintf(buf, size, "%.16s, process %d, %s%s", t->proc->comm, (int)t->proc->pid, state,
                 where);
}

/* ---- Registers ---- */

unsigned gdb_register_size(unsigned n)
{
    return n >= FIRST_FPU && n < FIRST_FPU + 8 ? 10 : 4;
}

static uint32_t *general(struct trapframe *tf, unsigned n)
{
    uint32_t *const places[] = {&tf->eax, &tf->ecx, &tf->edx, &tf->ebx,    NULL,    &tf->ebp,
                                &tf->esi, &tf->edi, &tf->eip, &tf->eflags, &tf->cs, NULL,
                                &tf->ds,  &tf->es,  &tf->fs,  &tf->gs};

    return n < FIRST_FPU ? places[n] : NULL;
}

/* esp and ss are in the frame only when it came from user mode, or by a task switch. */
static uint32_t stack_register(struct trapframe *tf, unsigned n)
{
    if (trap_from_user(tf) || tf->trapno == TRAP_DOUBLE_FAULT)
        return n == R_ESP ? tf->esp : tf->ss;
    return n == R_ESP ? (uint32_t)&tf->esp : tf->ds;
}

/* Where its processor was held, or, if that was in a wait for a lock, where it came into the
 * kernel; NULL: nowhere. */
static struct trapframe *held_frame(const struct thread *t)
{
    const struct trapframe *tf = t->cpu->held_at ? t->cpu->held_at : t->arch.tf;

    return (struct trapframe *)tf;
}

bool gdb_get_register(struct thread *t, struct trapframe *tf, unsigned n, uint32_t *value)
{
    struct trapframe saved;
    uint32_t esp = 0, control[4];
    bool current = t == thread_current();
    struct trapframe *elsewhere = runs_elsewhere(t) ? held_frame(t) : NULL;

    if (n >= GDB_REGISTERS || (n >= FIRST_FPU && n < FIRST_CONTROL))
        return false;
    if (n >= FIRST_CONTROL) {
        debug_control_registers(control);
        *value = control[n - FIRST_CONTROL];
        return true;
    }
    if (elsewhere) {
        tf = elsewhere;
    } else if (!current) {
        debug_saved_frame(&t->arch, &saved, &esp);
        tf = &saved;
    }
    if (n == R_ESP || n == R_SS)
        *value = current || elsewhere ? stack_register(tf, n) : n == R_ESP ? esp : tf->ds;
    else
        *value = *general(tf, n);
    return true;
}

bool gdb_set_register(struct trapframe *tf, unsigned n, uint32_t value)
{
    uint32_t *place = general(tf, n);

    if (n == R_ESP && trap_from_user(tf))
        place = &tf->esp;
    if (place)
        *place = value;
    return place != NULL;
}

/* ---- Memory ---- */

static const pde_t *tables_of(const struct thread *t)
{
    if (t == thread_current() || !t->proc->space)
        return mmu_loaded();
    return vm_space_tables(t->proc->space);
}

size_t gdb_read(const struct thread *t, uint32_t va, void *buf, size_t n)
{
    return debug_peek(tables_of(t), va, buf, n);
}

size_t gdb_write(const struct thread *t, uint32_t va, const void *buf, size_t n)
{
    return debug_poke(tables_of(t), va, buf, n);
}

/* ---- Breakpoints ---- */

bool gdb_is_breakpoint(uint32_t va)
{
    for (unsigned i = 0; i < nbreakpoints; i++)
        if (breakpoints[i].va == va)
            return true;
    return false;
}

static bool insert_int3(uint32_t va)
{
    const uint8_t insn = DEBUG_BREAK_INSN;
    uint8_t original;

    if (gdb_is_breakpoint(va))
        return true;
    if (nbreakpoints == MAX_BREAKPOINTS || !debug_peek(mmu_loaded(), va, &original, 1) ||
        !debug_poke(mmu_loaded(), va, &insn, 1))
        return false;
    breakpoints[nbreakpoints].va = va;
    breakpoints[nbreakpoints++].original = original;
    return true;
}

static bool remove_int3(uint32_t va)
{
    for (unsigned i = 0; i < nbreakpoints; i++) {
        if (breakpoints[i].va != va)
            continue;
        debug_poke(mmu_loaded(), va, &breakpoints[i].original, 1);
        breakpoints[i] = breakpoints[--nbreakpoints];
        return true;
    }
    return false;
}

/* How a Z packet becomes a point of the hardware; false when it cannot. */
static bool point_kind(unsigned type, unsigned *len, enum debug_point *kind)
{
    switch (type) {
    case 0:
    case 1:
        *len = 1;
        *kind = DEBUG_EXECUTE;
        return true;
    case 2:
        *kind = DEBUG_WRITE;
        return true;
    case 4:
        *kind = DEBUG_ACCESS;
        return true;
    default:
        return false;
    }
}

bool gdb_insert(unsigned type, uint32_t va, unsigned len)
{
    enum debug_point kind;

    if (type == 0 && va >= USER_TOP)
        return insert_int3(va);
    return point_kind(type, &len, &kind) && debug_set_point(kind, va, len);
}

bool gdb_remove(unsigned type, uint32_t va, unsigned len)
{
    enum debug_point kind;

    if (type == 0 && va >= USER_TOP)
        return remove_int3(va);
    return point_kind(type, &len, &kind) && debug_clear_point(kind, va, len);
}

void gdb_remove_all(void)
{
    while (nbreakpoints)
        remove_int3(breakpoints[0].va);
    debug_clear_points();
}
