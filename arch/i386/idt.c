/* The interrupt descriptor table: which vector enters where, and who may use it. [SDM 3A 6.10] */
#include "arch/i386/platform/apic.h"
#include "arch/i386/i386.h"

#define GATE_INTERRUPT 0x8eu /* present, ring 0, interrupts off */
#define GATE_TRAP      0x8fu /* interrupts as they are */
#define GATE_TASK      0x85u
#define GATE_USER      0x60u /* programs may use it with int */

#define VECTOR_DF 8u

static uint64_t idt[256];

static void set_gate(unsigned vector, uint32_t selector, uint32_t offset, uint32_t type)
{
    uint32_t low = selector << 16 | (offset & 0xffff);
    uint32_t high = (offset & 0xffff0000) | type << 8;

    idt[vector] = (uint64_t)high << 32 | low;
}

void idt_load(void)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) pointer = {sizeof(idt) - 1, (uint32_t)idt};

    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void idt_init(void)
{
    for (unsigned i = 0; i < 32; i++) {
        bool user = i == 3 || i == 4; /* int3, into */
        set_gate(i, SEL_KERNEL_CS, (uint32_t)trap_entries[i],
                 GATE_INTERRUPT | (user ? GATE_USER : 0));
    }
    for (unsigned i = 0; i < IRQ_ENTRIES; i++)
        set_gate(TRAP_IRQ_BASE + i, SEL_KERNEL_CS, (uint32_t)irq_entries[i], GATE_INTERRUPT);
    set_gate(APIC_SPURIOUS_VECTOR, SEL_KERNEL_CS, (uint32_t)apic_spurious_entry, GATE_INTERRUPT);
    set_gate(APIC_SHOOTDOWN_VECTOR, SEL_KERNEL_CS, (uint32_t)shootdown_entry, GATE_INTERRUPT);
    set_gate(VECTOR_DF, SEL_DF_TSS, 0, GATE_TASK);
    set_gate(TRAP_SYSCALL, SEL_KERNEL_CS, (uint32_t)syscall_entry, GATE_TRAP | GATE_USER);
    idt_load();
}
