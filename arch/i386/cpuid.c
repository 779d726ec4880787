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
static struct {
    char vendor[13];
    char brand[49];
    uint32_t max_leaf, signature, features_ecx;
} id = {.vendor = "unknown"};

/* Leaf 1, EDX, by bit, in the words of Linux's /proc/cpuinfo: programs look for them there. */
static const char *const feature_names[32] = {
    "fpu",  "vme",  "de",   "pse", "tsc",  "msr", "pae",   "mce", "cx8",     "apic", NULL,
    "sep",  "mtrr", "pge",  "mca", "cmov", "pat", "pse36", "pn",  "clflush", NULL,   "dts",
    "acpi", "mmx",  "fxsr", "sse", "sse2", "ss",  "ht",    "tm",  "ia64",    "pbe",
};

static void cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(0));
}

static void read_brand(void)
{
    uint32_t r[4];

    cpuid(0x80000000u, r);
    if (r[0] < 0x80000004u)
        return;
    for (uint32_t i = 0; i < 3; i++) {
        cpuid(0x80000002u + i, r);
        memcpy(id.brand + 16 * i, r, 16);
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
    cpu_has_tsc = cpu_features & CPU_TSC;
    if (id.max_leaf >= 7) {
        cpuid(7, r);
        cpu_features_7_ebx = r[1];
        cpu_features_7_ecx = r[2];
    }
    read_brand();
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

/* Family and model have extensions that count only for some values. [SDM 2A, CPUID] */
static unsigned family(void)
{
    unsigned f = (id.signature >> 8) & 0xf;

    if (!cpu_features)
        return 4;
    return f == 0xf ? f + ((id.signature >> 20) & 0xff) : f;
}

static unsigned model(void)
{
    unsigned f = (id.signature >> 8) & 0xf, m = (id.signature >> 4) & 0xf;

    return f == 6 || f == 0xf ? m | ((id.signature >> 12) & 0xf0) : m;
}

/* Early Pentium Pros say that they have it. [SDM 2B, SYSENTER] */
bool cpu_has_sysenter(void)
{
    return (cpu_features & (CPU_SEP | CPU_MSR)) == (CPU_SEP | CPU_MSR) &&
           !(family() == 6 && (id.signature & 0xff) < 0x33);
}

/* AT_PLATFORM: the C library may choose its directories of libraries by it. */
const char *cpu_platform(void)
{
    unsigned f = family();

    return f <= 4 ? "i486" : f == 5 ? "i586" : "i686";
}

static const char *yes_no(bool v)
{
    return v ? "yes" : "no";
}

static uint32_t append(char *buf, uint32_t size, uint32_t at, const char *s)
{
    return at < size ? at + strlcpy(buf + at, s, size - at) : at;
}

static uint32_t append_flags(char *buf, uint32_t size, uint32_t at)
{
    at = append(buf, size, at, "flags\t\t:");
    for (unsigned i = 0; i < 32; i++) {
        if (!(cpu_features & (1u << i)) || !feature_names[i])
            continue;
        at = append(buf, size, at, " ");
        at = append(buf, size, at, feature_names[i]);
    }
    if (cpu_features_7_ebx & CPU7_SMEP)
        at = append(buf, size, at, " smep");
    if (cpu_features_7_ebx & CPU7_SMAP)
        at = append(buf, size, at, " smap");
    if (cpu_features_7_ecx & CPU7_UMIP)
        at = append(buf, size, at, " umip");
    return append(buf, size, at, "\n");
}

/* The processors are alike; how much of buf it takes. */
int cpu_describe(unsigned cpu, char *buf, uint32_t size)
{
    uint32_t khz = clock_tsc_khz();
    uint32_t at = (uint32_t)snprintf(
        buf, size,
        "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\n"
        "stepping\t: %u\ncpu MHz\t\t: %u.%03u\n",
        cpu, id.vendor, family(), model(), id.brand[0] ? id.brand : "unknown",
        (unsigned)(id.signature & 0xf), (unsigned)(khz / 1000), (unsigned)(khz % 1000));

    if (at < size)
        at += (uint32_t)snprintf(
            buf + at, size - at,
            "fpu\t\t: %s\nfpu_exception\t: %s\ncpuid level\t: %u\nwp\t\t: yes\n",
            yes_no(cpu_features & CPU_FPU), yes_no(cpu_features & CPU_FPU), (unsigned)id.max_leaf);
    at = append_flags(buf, size, at);
    if (at < size)
        at += (uint32_t)snprintf(buf + at, size - at, "bogomips\t: %u.%02u\n\n",
                                 (unsigned)(khz / 500), (unsigned)(khz / 5 % 100));
    return (int)(at < size ? at : size);
}
