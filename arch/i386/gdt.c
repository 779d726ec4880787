/*
 * Segments: flat ones for kernel and user mode, the three TLS descriptors of the current thread,
 * %fs for struct cpu, the TSS that gives the kernel stack, and the TSS of the double fault, which
 * brings a stack of its own. [SDM 3A 3.4.5, 7.2]
 */
#include "arch/i386/i386.h"
#include "arch/thread.h"
#include "libc/string.h"

#define DESC_CODE 0x9au /* present, ring 0, code, readable */
#define DESC_DATA 0x92u
#define DESC_TSS  0x89u
#define DESC_USER 0x60u /* ring 3 */
#define DESC_FLAT 0xcu  /* 4 KiB granularity, 32-bit */
#define DF_STACK  4096u

#define SYSENTER_STACK   4096u
#define MSR_SYSENTER_CS  0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u

struct tss {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
};

struct cpu boot_cpu;

static uint64_t gdt[GDT_ENTRIES];
static struct tss df_tss;

/*
 * sysenter finds its stack at main.tss, from where it takes that of the thread. In between a debug
 * exception (a program that steps through its own instructions) or an NMI may come in, below it.
 */
static struct {
    uint8_t stack[SYSENTER_STACK];
    struct tss tss;
    uint8_t ports[2 * PAGE_SIZE + 1]; /* what the thread may not reach; the last byte is all ones */
} main __attribute__((aligned(16)));
static uint8_t df_stack[DF_STACK];

#define PORTS_AT (sizeof(struct tss))
#define NO_PORTS (PORTS_AT + 2 * PAGE_SIZE + 1) /* behind the end: everything is forbidden */

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t type, uint32_t flags)
{
    uint32_t low = (base << 16) | (limit & 0xffff);
    uint32_t high = (base & 0xff000000) | (flags << 20) | (limit & 0xf0000) | (type << 8) |
                    ((base >> 16) & 0xff);

    return (uint64_t)high << 32 | low;
}

static void init_df_tss(void)
{
    df_tss = (struct tss){
        .cr3 = virt_to_phys(kernel_pgdir),
        .eip = (uint32_t)double_fault,
        .eflags = EFLAGS_FIXED,
        .esp = (uint32_t)df_stack + DF_STACK - 16,
        .cs = SEL_KERNEL_CS,
        .ss = SEL_KERNEL_DS,
        .ds = SEL_KERNEL_DS,
        .es = SEL_KERNEL_DS,
        .fs = SEL_CPU,
        .io_map = sizeof(struct tss),
    };
}

static void load_gdt(void)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) pointer = {sizeof(gdt) - 1, (uint32_t)gdt};

    __asm__ volatile("lgdt %0\n\t"
                     "ljmp %1, $1f\n"
                     "1:\tmov %w2, %%ds\n\t"
                     "mov %w2, %%es\n\t"
                     "mov %w2, %%ss\n\t"
                     "mov %w3, %%fs\n\t"
                     "mov %w4, %%gs\n\t"
                     "lldt %w4\n\t"
                     "ltr %w5"
                     :
                     : "m"(pointer), "i"(SEL_KERNEL_CS), "r"(SEL_KERNEL_DS), "r"(SEL_CPU), "r"(0),
                       "r"(SEL_TSS)
                     : "memory");
}

NO_STACK_GUARD void gdt_init(struct cpu *c)
{
    c->self = c;
    c->pgdir = kernel_pgdir;
    main.tss.ss0 = SEL_KERNEL_DS;
    main.tss.io_map = NO_PORTS;
    main.ports[2 * PAGE_SIZE] = 0xff;
    init_df_tss();
    gdt[SEL_KERNEL_CS >> 3] = descriptor(0, 0xfffff, DESC_CODE, DESC_FLAT);
    gdt[SEL_KERNEL_DS >> 3] = descriptor(0, 0xfffff, DESC_DATA, DESC_FLAT);
    gdt[SEL_USER_CS >> 3] = descriptor(0, 0xfffff, DESC_CODE | DESC_USER, DESC_FLAT);
    gdt[SEL_USER_DS >> 3] = descriptor(0, 0xfffff, DESC_DATA | DESC_USER, DESC_FLAT);
    gdt[SEL_CPU >> 3] = descriptor((uint32_t)c, sizeof(*c) - 1, DESC_DATA, 0x4);
    gdt[SEL_TSS >> 3] = descriptor((uint32_t)&main.tss, NO_PORTS - 1, DESC_TSS, 0);
    gdt[SEL_DF_TSS >> 3] = descriptor((uint32_t)&df_tss, sizeof(df_tss) - 1, DESC_TSS, 0);
    load_gdt();
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
    write_msr(MSR_SYSENTER_ESP, (uint32_t)&main.tss);
    write_msr(MSR_SYSENTER_EIP, (uint32_t)sysenter_entry);
}

void gdt_set_esp0(uint32_t esp0)
{
    main.tss.esp0 = esp0;
}

void gdt_set_tls(const uint64_t tls[3])
{
    for (unsigned i = 0; i < 3; i++)
        gdt[SEL_TLS_FIRST + i] = tls[i];
}

/* [SDM 1 19.5.2] Only who has such rights pays for the copy. */
void rare_load(const struct arch_rare *r)
{
    bool some = r && (r->all_ports || r->ports[0]);

    main.tss.io_map = some ? PORTS_AT : NO_PORTS;
    for (unsigned i = 0; some && i < 2; i++) {
        if (r->all_ports)
            memset(main.ports + i * PAGE_SIZE, 0, PAGE_SIZE);
        else
            memcpy(main.ports + i * PAGE_SIZE, r->ports[i], PAGE_SIZE);
    }
    cpu_allow_tsc(!r || !r->no_tsc);
}

void gdt_double_fault_frame(struct trapframe *tf)
{
    *tf = (struct trapframe){
        .ebx = main.tss.ebx,
        .ecx = main.tss.ecx,
        .edx = main.tss.edx,
        .esi = main.tss.esi,
        .edi = main.tss.edi,
        .ebp = main.tss.ebp,
        .eax = main.tss.eax,
        .ds = main.tss.ds,
        .es = main.tss.es,
        .fs = main.tss.fs,
        .gs = main.tss.gs,
        .orig_eax = (uint32_t)-1,
        .trapno = 8,
        .eip = main.tss.eip,
        .cs = main.tss.cs,
        .eflags = main.tss.eflags,
        .esp = main.tss.esp,
        .ss = main.tss.ss,
    };
}
