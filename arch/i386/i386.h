/*
 * What the files of arch/i386 share among themselves. Nothing outside includes it.
 */
#ifndef ARCH_I386_I386_H
#define ARCH_I386_I386_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/cpu.h"
#include "arch/mmu.h"
#include "arch/trap.h"

struct debug_registers; /* arch/thread.h */

/* Segment selectors: Linux i386's, because programs see the user ones. */
#define SEL_TLS_FIRST 6u /* index of the first of three TLS descriptors */
#define SEL_KERNEL_CS 0x60u
#define SEL_KERNEL_DS 0x68u
#define SEL_USER_CS   0x73u
#define SEL_USER_DS   0x7bu
#define SEL_TSS       0x80u
#define SEL_LDT       0x88u
#define SEL_CPU       0xd8u /* %fs in the kernel: struct cpu */
#define SEL_DF_TSS    0xf8u
#define GDT_ENTRIES   32u

#define EFLAGS_FIXED 0x002u

#define CR4_TSD        0x004u
#define CR4_PSE        0x010u
#define CR4_PGE        0x080u
#define CR4_OSFXSR     0x200u
#define CR4_OSXMMEXCPT 0x400u
#define CR4_UMIP       0x000800u
#define CR4_OSXSAVE    0x040000u
#define CR4_SMEP       0x100000u
#define CR4_SMAP       0x200000u
#define CR0_WP         0x10000u
#define CR0_TS         0x008u
#define CR0_EM         0x004u

/* CPUID.1:EDX */
#define CPU_FPU     (1u << 0)
#define CPU_PSE     (1u << 3)
#define CPU_TSC     (1u << 4)
#define CPU_MSR     (1u << 5)
#define CPU_PAE     (1u << 6)
#define CPU_APIC    (1u << 9)
#define CPU_SEP     (1u << 11)
#define CPU_PGE     (1u << 13)
#define CPU_PAT     (1u << 16)
#define CPU_PSE36   (1u << 17)
#define CPU_CLFLUSH (1u << 19)
#define CPU_FXSR    (1u << 24)
#define CPU_SSE2    (1u << 26)
#define CPU_SSE     (1u << 25)

/* CPUID.1:ECX */
#define CPU_XSAVE (1u << 26)
#define CPU_AVX   (1u << 28)

/* CPUID.7.0: EBX and ECX */
#define CPU7_AVX2 (1u << 5)
#define CPU7_ERMS (1u << 9) /* string instructions are fast */
#define CPU7_SMEP (1u << 7)
#define CPU7_SMAP (1u << 20)
#define CPU7_UMIP (1u << 2)

/* The top of the kernel half, above the 1:1 window. */
#define KSTACK_BASE   0xf8000000u /* guarded kernel stacks: at most 64 MiB */
#define KSTACK_TABLES 16u
#define DEVICE_BASE   0xfc000000u /* device windows */
#define DEVICE_TABLES 4u
#define FB_BASE       0xfd000000u /* the framebuffer, in pages of 4 MiB */
#define FB_TABLES     11u         /* up to LOCAL_BASE */

static inline uint32_t read_cr0(void)
{
    uint32_t v;
    __asm__ volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}

static inline void write_cr0(uint32_t v)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}

static inline uint32_t read_cr2(void)
{
    uint32_t v;
    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}

static inline uint32_t read_cr3(void)
{
    uint32_t v;
    __asm__ volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}

static inline void write_cr3(uint32_t v)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}

static inline uint32_t read_cr4(void)
{
    uint32_t v;
    __asm__ volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}

static inline void write_cr4(uint32_t v)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}

static inline void invlpg(vaddr_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* linker.ld */
extern char kernel_text_start[], kernel_text_end[], kernel_rodata_end[], kernel_end[];
/* boot/multiboot.asm */
extern pde_t kernel_pgdir[PT_ENTRIES];
extern pte_t kernel_tables[2 * PT_ENTRIES];
extern char boot_stack_guard[], boot_stack_top[];
extern uint32_t boot_cpu_edx;

/* cpuid.c: what this CPU can do. cpu_features is CPUID.1:EDX, 0 without CPUID. */
extern uint32_t cpu_features, cpu_features_7_ebx, cpu_features_7_ecx;
void cpuid_init(void);
struct cpu_identity {
    char vendor[13];
    char brand[49]; /* empty: not told */
    uint32_t max_leaf, signature, features_ecx;
    uint32_t extended_edx, extended_ecx; /* 0x80000001 */
    uint32_t physical_bits, line_bytes;  /* 0: not told */
};
const struct cpu_identity *cpu_identity(void);
unsigned cpu_family(void);
unsigned cpu_model(void);
void cpu_control_init(void);         /* CR4 as a whole, but for PGE */
void cpu_control_same(void);         /* on a further processor: CR4 as the first one has it */
void cpu_control_add(uint32_t bits); /* more of CR4 */
bool cpu_has_avx2(void);
void cpu_allow_tsc(bool allowed);    /* to programs, on this CPU; interrupts are off */
void cpu_window_open(uint32_t bits); /* more of CR4 until cpu_window_close; interrupts are off */
void cpu_window_close(uint32_t bits);
void latency_init(void); /* latency.c; after it, before the text is read-only */
bool latency_trap(struct trapframe *tf);
void cpu_protection_init(void);     /* protect.c; once the boot options are known */
void cpu_enable_global_pages(void); /* CR4.PGE, once the kernel's pages are final */

/* gdt.c */
void gdt_init(struct cpu *c);
struct cpu *gdt_make_cpu(void *page, void *df_stack); /* another one's, in these frames */
void gdt_load(struct cpu *c);                         /* by itself */
void gdt_set_esp0(uint32_t esp0);
void sysenter_init(void);
void gdt_set_tls(const uint64_t tls[3]);

/* debug.c: a thread's points (NULL: none); which of them DR6 tells of, for a trap of user mode. */
void debug_load(const struct debug_registers *d);
struct arch_rare;
void rare_load(const struct arch_rare *r); /* gdt.c */
uint32_t debug_thread_hits(struct trapframe *tf, uint32_t dr6);
void gdt_double_fault_frame(struct trapframe *tf); /* the state that a double fault interrupted */
extern struct cpu boot_cpu;

/* idt.c, entry.asm */
void idt_init(void);
void idt_load(void); /* on a further processor */
#define IRQ_ENTRIES 19
extern void (*const trap_entries[32])(void);
extern void (*const irq_entries[IRQ_ENTRIES])(void);
void apic_spurious_entry(void);
void shootdown_entry(void);
void syscall_entry(void);
void sysenter_entry(void);
void sysenter_stepped(void); /* the same for a program that has TF set */
void user_exit(void);        /* pops a user frame at esp and returns to user mode */
void page_fault(struct trapframe *tf);
void trap_dispatch(struct trapframe *tf);
void irq_dispatch(struct trapframe *tf);

void mmu_forget_pages(pde_t *pgdir, vaddr_t va,
                      unsigned n); /* mmu.c: this one, which has them loaded */
void clock_without_tsc(void);      /* timer.c */
void trampoline_reserve(void);     /* before memory is handed over */
void double_fault(void);

/* Where the kernel goes on when its instruction at eip faults for good; 0: it must not fault. */
uint32_t extable_find(uint32_t eip);
/* Makes tf resume there; false when there is none. */
bool extable_fixup(struct trapframe *tf);

/* irq.c */
void pic_init(void);
void irq_mask(unsigned irq, bool masked); /* of a line that is registered */
void irq_fall_back(unsigned irq);         /* from the I/O APIC to the 8259 */

/* fpu.c */
void fpu_init(void);
void fpu_init_further(void); /* on a further processor */
void fpu_switch(struct arch_thread *prev, struct arch_thread *next);
bool fpu_not_available(void);  /* false: there is no FPU */
int fpu_error_code(bool simd); /* FPE_* for a pending exception */

/* timer.c */
uint32_t clock_tsc_khz(void); /* learned so far; 0 without TSC */
struct thread;
uint32_t arch_thread_frame(const struct arch_thread *t); /* ebp of one that does not run */
void clock_apic_timer(void);                             /* the local APIC's timer interrupt */

/* memmap.c */
struct handover;
void memmap_parse(const struct handover *h);      /* its map -> usable ranges, boot_info.ram_* */
bool memmap_is_ram(uint64_t start, uint64_t end); /* whether any of it is usable */
paddr_t memmap_top(void);                 /* end of the RAM in the window, and of the modules */
paddr_t memmap_take_frame(paddr_t limit); /* a frame below limit, before that; or 0 */
void memmap_hand_over(
    paddr_t mapped); /* what is left below mapped is mm_init()'s: boot_info.memory */

/* kmap.c */
paddr_t kmap_init(void);              /* builds the window; returns up to where it reaches */
paddr_t kmap_window_end(void);        /* up to where it reaches */
bool kmap_init_top(uint32_t ram_kib); /* tables of the areas above the window; false: no memory */
uint32_t kmap_kstack_bytes(void);     /* size of the area at KSTACK_BASE that has tables */
pte_t *kmap_entry(vaddr_t va);        /* entry of an address above the window */

/* Maps the framebuffer, write-combining where the CPU can; before mm_init, and after kmap_init
 * where there are no large pages. NULL: it does not fit. */
void *kmap_framebuffer(uint64_t pa, uint32_t size);
bool kmap_is_mapped(vaddr_t va); /* whether a kernel address can be read */

/* kstack.c */
bool kstack_is_guard(uint32_t addr); /* below a kernel stack */

/* report.c */
void report_init(void);                                 /* panics have backtraces from here on */
const char *ksym_find(uint32_t addr, uint32_t *offset); /* NULL: not kernel text */
_Noreturn void trap_panic(struct trapframe *tf, const char *what, uint32_t cr2);

#endif
