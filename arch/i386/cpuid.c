/* Which CPU this is, and its control registers. Works without CPUID (every feature is then absent).
 */
#include "arch/i386/i386.h"
#include "arch/thread.h"
#include "libc/printf.h"
#include "libc/string.h"

uint32_t cpu_features, cpu_features_7_ebx, cpu_features_7_ecx;
bool cpu_has_tsc;

/* What CR4 shall hold, but for what a thread or a window of code adds: written as a whole, since
 * firmware may leave anything. */
static uint32_t cr4;
static struct cpu_identity id = {.vendor = "unknown"};

static void cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(0));
}

static void read_extended(void)
{
    uint32_t r[4], last;

    cpuid(0x80000000u, r);
    last = r[0] & 0x80000000u ? r[0] : 0;
    if (last >= 0x80000001u) {
        cpuid(0x80000001u, r);
        id.extended_edx = r[3];
        id.extended_ecx = r[2];
    }
    for (uint32_t i = 0; i < 3 && last >= 0x80000004u; i++) {
        cpuid(0x80000002u + i, r);
        memcpy(id.brand + 16 * i, r, 16);
    }
    if (last >= 0x80000008u) {
        cpuid(0x80000008u, r);
        id.physical_bits = r[0] & 0xff;
    }
}

/* boot_cpu_edx is what the boot code found (boot/multiboot.asm); 0: the processor has no CPUID. */
void cpuid_init(void)
{
    uint32_t r[4];

    if (!boot_cpu_edx)
        return;
    cpuid(0, r);
    id.max_leaf = r[0];
    memcpy(id.vendor, &r[1], 4);
    memcpy(id.vendor + 4, &r[3], 4);
    memcpy(id.vendor + 8, &r[2], 4);
    cpuid(1, r);
    id.signature = r[0];
    id.features_ecx = r[2];
    cpu_features = r[3];
    if (cpu_features & CPU_CLFLUSH)
        id.line_bytes = (r[1] >> 8 & 0xff) * 8;
    cpu_has_tsc = cpu_features & CPU_TSC;
    if (id.max_leaf >= 7) {
        cpuid(7, r);
        cpu_features_7_ebx = r[1];
        cpu_features_7_ecx = r[2];
    }
    read_extended();
}

void cpu_control_init(void)
{
    if (cpu_features & CPU_PSE)
        cr4 |= CR4_PSE;
    if (cpu_features & CPU_FXSR)
        cr4 |= CR4_OSFXSR;
    if (cpu_features & CPU_SSE)
        cr4 |= CR4_OSXMMEXCPT;
    if (cpu_features)
        write_cr4(cr4);
}

void cpu_control_same(void)
{
    if (cpu_features)
        write_cr4(cr4);
}

void cpu_control_add(uint32_t bits)
{
    cr4 |= bits;
    write_cr4(cr4);
}

void cpu_allow_tsc(bool allowed)
{
    uint32_t now = cpu_has_tsc ? read_cr4() : 0, bits = allowed ? now & ~CR4_TSD : now | CR4_TSD;

    if (bits != now && cpu_has_tsc)
        write_cr4(bits);
}

void cpu_window_open(uint32_t bits)
{
    write_cr4(read_cr4() | bits);
}

void cpu_window_close(uint32_t bits)
{
    write_cr4(read_cr4() & ~bits);
}

bool cpu_has_avx2(void)
{
    return (id.features_ecx & (CPU_XSAVE | CPU_AVX)) == (CPU_XSAVE | CPU_AVX) &&
           (cpu_features_7_ebx & CPU7_AVX2);
}

void cpu_enable_global_pages(void)
{
    if (cpu_features & CPU_PGE)
        cpu_control_add(CR4_PGE);
}

uint32_t cpu_hwcap(void)
{
    return cpu_features;
}

const struct cpu_identity *cpu_identity(void)
{
    return &id;
}

/* Family and model have extensions that count only for some values. [SDM 2A, CPUID] */
unsigned cpu_family(void)
{
    unsigned f = (id.signature >> 8) & 0xf;

    if (!cpu_features)
        return 4;
    return f == 0xf ? f + ((id.signature >> 20) & 0xff) : f;
}

unsigned cpu_model(void)
{
    unsigned f = (id.signature >> 8) & 0xf, m = (id.signature >> 4) & 0xf;

    return f == 6 || f == 0xf ? m | ((id.signature >> 12) & 0xf0) : m;
}

/* Early Pentium Pros say that they have it. [SDM 2B, SYSENTER] */
bool cpu_has_sysenter(void)
{
    return (cpu_features & (CPU_SEP | CPU_MSR)) == (CPU_SEP | CPU_MSR) &&
           !(cpu_family() == 6 && (id.signature & 0xff) < 0x33);
}

/* AT_PLATFORM: the C library may choose its directories of libraries by it. */
const char *cpu_platform(void)
{
    unsigned f = cpu_family();

    return f <= 4 ? "i486" : f == 5 ? "i586" : "i686";
}
