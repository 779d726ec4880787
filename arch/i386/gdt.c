/*
 * Segments: flat ones for kernel and user mode, the three TLS descriptors of the current thread,
 * %fs for struct cpu, the LDT, whose place is the same for every program (mm/local.c), the TSS that
 * gives the kernel stack, and the TSS of the double fault, which brings a stack of its own. [SDM 3A
 * 3.4.5, 7.2]
 */
#include "arch/i386/i386.h"
#include "arch/thread.h"
#include "libc/string.h"

#define DESC_CODE 0x9au /* present, ring 0, code, readable */
#define DESC_DATA 0x92u
#define DESC_TSS  0x89u
#define DESC_LDT  0x82u
#define DESC_USER 0x60u /* ring 3 */
#define DESC_FLAT 0xcu  /* 4 KiB granularity, 32-bit */
#define DF_STACK  4096u

#define SYSENTER_STACK   3072u
#define MSR_SYSENTER_CS  0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u

struct tss {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
};

/*
 * What a processor has for itself. sysenter finds its stack at main.tss, from where it takes that
 * of the thread. In between a debug exception (a program that steps through its own instructions)
 * or an NMI may come in, below it.
 */
struct cpu_tables {
    uint64_t gdt[GDT_ENTRIES];
    struct tss df_tss;
    struct {
        uint8_t stack[SYSENTER_STACK];
        struct tss tss;
    } main __attribute__((aligned(16)));
};

struct cpu_page { /* the first of a processor's frames; the second is the stack of double faults */
    struct cpu cpu;
    struct cpu_tables tables;
};
_Static_assert(sizeof(struct cpu_page) <= PAGE_SIZE, "CPU_PAGES");

struct cpu boot_cpu = {.in_kernel = true};
/* The first processor's. Whoever may reach ports runs there: kernel/thread/rare.c */
static struct {
    struct cpu_tables tables;
    uint8_t ports[2 * PAGE_SIZE + 1]; /* what the thread may not reach; the last byte is all ones */
} boot;
static uint8_t boot_df_stack[DF_STACK];

#define PORTS_AT (offsetof(typeof(boot), ports) - offsetof(typeof(boot), tables.main.tss))
#define NO_PORTS (PORTS_AT + sizeof(boot.ports)) /* behind the end: everything is forbidden */

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t type, uint32_t flags)
{
    uint32_t low = (base << 16) | (limit & 0xffff);
    uint32_t high = (base & 0xff000000) | (flags << 20) | (limit & 0xf0000) | (type << 8) |
                    ((base >> 16) & 0xff);

    return (uint64_t)high << 32 | low;
}

static void init_df_tss(struct tss *tss, uint8_t *stack)
{
    *tss = (struct tss){
        .cr3 = virt_to_phys(kernel_pgdir),
        .eip = (uint32_t)double_fault,
        .eflags = EFLAGS_FIXED,
        .esp = (uint32_t)stack + DF_STACK - 16,
        .cs = SEL_KERNEL_CS,
        .ss = SEL_KERNEL_DS,
        .ds = SEL_KERNEL_DS,
        .es = SEL_KERNEL_DS,
        .fs = SEL_CPU,
        .io_map = sizeof(struct tss),
    };
}

static void load_gdt(const struct cpu_tables *t)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) pointer = {sizeof(t->gdt) - 1, (uint32_t)t->gdt};

    __asm__ volatile("lgdt %0\n\t"
                     "ljmp %1, $1f\n"
                     "1:\tmov %w2, %%ds\n\t"
                     "mov %w2, %%es\n\t"
                     "mov %w2, %%ss\n\t"
                     "mov %w3, %%fs\n\t"
                     "mov %w4, %%gs\n\t"
                     "lldt %w5\n\t"
                     "ltr %w6"
                     :
                     : "m"(pointer), "i"(SEL_KERNEL_CS), "r"(SEL_KERNEL_DS), "r"(SEL_CPU), "r"(0),
                       "rm"((uint16_t)SEL_LDT), "rm"((uint16_t)SEL_TSS)
                     : "memory");
}

static NO_STACK_GUARD void fill_tables(struct cpu *c, struct cpu_tables *t, uint8_t *df_stack)
{
    uint64_t *gdt = t->gdt;

    c->self = c;
    c->tables = t;
    c->pgdir = kernel_pgdir;
    t->main.tss.ss0 = SEL_KERNEL_DS;
    t->main.tss.io_map = NO_PORTS;
    init_df_tss(&t->df_tss, df_stack);
    gdt[SEL_KERNEL_CS >> 3] = descriptor(0, 0xfffff, DESC_CODE, DESC_FLAT);
    gdt[SEL_KERNEL_DS >> 3] = descriptor(0, 0xfffff, DESC_DATA, DESC_FLAT);
    gdt[SEL_USER_CS >> 3] = descriptor(0, 0xfffff, DESC_CODE | DESC_USER, DESC_FLAT);
    gdt[SEL_USER_DS >> 3] = descriptor(0, 0xfffff, DESC_DATA | DESC_USER, DESC_FLAT);
    gdt[SEL_CPU >> 3] = descriptor((uint32_t)c, sizeof(*c) - 1, DESC_DATA, 0x4);
    gdt[SEL_TSS >> 3] = descriptor((uint32_t)&t->main.tss, NO_PORTS - 1, DESC_TSS, 0);
    gdt[SEL_LDT >> 3] = descriptor(LOCAL_BASE, LOCAL_PAGES * PAGE_SIZE - 1, DESC_LDT, 0);
    gdt[SEL_DF_TSS >> 3] = descriptor((uint32_t)&t->df_tss, sizeof(t->df_tss) - 1, DESC_TSS, 0);
}

NO_STACK_GUARD void gdt_init(struct cpu *c)
{
    fill_tables(c, &boot.tables, boot_df_stack);
    boot.ports[2 * PAGE_SIZE] = 0xff;
    load_gdt(c->tables);
}

struct cpu *gdt_make_cpu(void *page, void *df_stack)
{
    struct cpu_page *p = page;

    memset(p, 0, sizeof(*p));
    fill_tables(&p->cpu, &p->tables, df_stack);
    return &p->cpu;
}

NO_STACK_GUARD void gdt_load(struct cpu *c)
{
    load_gdt(c->tables);
}

static void write_msr(uint32_t msr, uint32_t low)
{
    __asm__ volatile("wrmsr" : : "a"(low), "d"(0), "c"(msr));
}

/* The second way to call the system. [SDM 3A 5.8.7] */
void sysenter_init(void)
{
    if (!cpu_has_sysenter())
        return;
    write_msr(MSR_SYSENTER_CS, SEL_KERNEL_CS);
    write_msr(MSR_SYSENTER_ESP, (uint32_t)&cpu_self()->tables->main.tss);
    write_msr(MSR_SYSENTER_EIP, (uint32_t)sysenter_entry);
}

void gdt_set_esp0(uint32_t esp0)
{
    cpu_self()->tables->main.tss.esp0 = esp0;
}

void gdt_set_tls(const uint64_t tls[3])
{
    uint64_t *gdt = cpu_self()->tables->gdt;

    for (unsigned i = 0; i < 3; i++)
        gdt[SEL_TLS_FIRST + i] = tls[i];
}

/* [SDM 1 19.5.2] Only who has such rights pays for the copy. */
void rare_load(const struct arch_rare *r)
{
    bool some = r && (r->all_ports || r->ports[0]) && cpu_self() == &boot_cpu;

    cpu_self()->tables->main.tss.io_map = some ? PORTS_AT : NO_PORTS;
    for (unsigned i = 0; some && i < 2; i++) {
        if (r->all_ports)
            memset(boot.ports + i * PAGE_SIZE, 0, PAGE_SIZE);
        else
            memcpy(boot.ports + i * PAGE_SIZE, r->ports[i], PAGE_SIZE);
    }
    cpu_allow_tsc(!r || !r->no_tsc);
}

void gdt_double_fault_frame(struct trapframe *tf)
{
    const struct tss *tss = &cpu_self()->tables->main.tss;

    *tf = (struct trapframe){
        .ebx = tss->ebx,
        .ecx = tss->ecx,
        .edx = tss->edx,
        .esi = tss->esi,
        .edi = tss->edi,
        .ebp = tss->ebp,
        .eax = tss->eax,
        .ds = tss->ds,
        .es = tss->es,
        .fs = tss->fs,
        .gs = tss->gs,
        .orig_eax = (uint32_t)-1,
        .trapno = 8,
        .eip = tss->eip,
        .cs = tss->cs,
        .eflags = tss->eflags,
        .esp = tss->esp,
        .ss = tss->ss,
    };
}
