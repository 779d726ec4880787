/*
 * What /proc/cpuinfo says of a processor, in Linux's words and order: programs look for them there.
 * What needs more of the processor's state than a thread keeps (AVX and its kin) is left out, as no
 * program can use it.
 */
#include <stdarg.h>
#include "arch/cpu.h"
#include "arch/i386/i386.h"
#include "arch/processors.h"
#include "arch/thread.h"
#include "libc/printf.h"

/* By bit; NULL: not told. */
static const char *const leaf_1_edx[32] = {
    "fpu",  "vme",  "de",   "pse", "tsc",  "msr", "pae",   "mce", "cx8",     "apic", NULL,
    "sep",  "mtrr", "pge",  "mca", "cmov", "pat", "pse36", "pn",  "clflush", NULL,   "dts",
    "acpi", "mmx",  "fxsr", "sse", "sse2", "ss",  "ht",    "tm",  "ia64",    "pbe",
};
static const char *const leaf_1_ecx[32] = {
    "pni",    "pclmulqdq",  "dtes64", "monitor", "ds_cpl",
    "vmx",    "smx",        "est",    "tm2",     "ssse3",
    "cid",    "sdbg",       NULL,     "cx16",    "xtpr",
    "pdcm",   NULL,         NULL,     "dca",     "sse4_1",
    "sse4_2", "x2apic",     "movbe",  "popcnt",  "tsc_deadline_timer",
    "aes",    NULL,         NULL,     NULL,      NULL,
    "rdrand", "hypervisor",
};
static const char *const extended_edx[32] = {
    [11] = "syscall", [19] = "mp",     [20] = "nx", [22] = "mmxext",   [25] = "fxsr_opt",
    [26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm", [30] = "3dnowext", [31] = "3dnow",
};
static const char *const extended_ecx[32] = {
    "lahf_lm",    "cmp_legacy",  "svm",
    "extapic",    "cr8_legacy",  "abm",
    "sse4a",      "misalignsse", "3dnowprefetch",
    "osvw",       "ibs",         NULL,
    "skinit",     "wdt",         NULL,
    NULL,         NULL,          "tce",
    NULL,         "nodeid_msr",  NULL,
    "tbm",        "topoext",     "perfctr_core",
    "perfctr_nb",
};
static const char *const leaf_7_ebx[32] = {
    [1] = "tsc_adjust", [3] = "bmi1",        [4] = "hle",   [7] = "smep",    [8] = "bmi2",
    [9] = "erms",       [10] = "invpcid",    [11] = "rtm",  [18] = "rdseed", [19] = "adx",
    [20] = "smap",      [23] = "clflushopt", [24] = "clwb", [29] = "sha_ni",
};
static const char *const leaf_7_ecx[32] = {[2] = "umip", [22] = "rdpid"};

/* Text that grows up to the end of a buffer. */
struct description {
    char *buf;
    uint32_t size, at;
};

static __attribute__((format(printf, 2, 3))) void say(struct description *d, const char *format,
                                                      ...)
{
    va_list ap;

    if (d->at >= d->size)
        return;
    va_start(ap, format);
    d->at += (uint32_t)vsnprintf(d->buf + d->at, d->size - d->at, format, ap);
    va_end(ap);
}

static void say_flags(struct description *d, uint32_t bits, const char *const names[32])
{
    for (unsigned i = 0; i < 32; i++)
        if ((bits & 1u << i) && names[i])
            say(d, " %s", names[i]);
}

static void say_features(struct description *d, const struct cpu_identity *id)
{
    say(d, "flags\t\t:");
    say_flags(d, cpu_features, leaf_1_edx);
    say_flags(d, id->extended_edx, extended_edx);
    if (cpu_features)
        say(d, " cpuid");
    say_flags(d, id->features_ecx, leaf_1_ecx);
    say_flags(d, id->extended_ecx, extended_ecx);
    say_flags(d, cpu_features_7_ebx, leaf_7_ebx);
    say_flags(d, cpu_features_7_ecx, leaf_7_ecx);
    say(d, "\nbugs\t\t:\n");
}

/* A package of one core each. */
static void say_place(struct description *d, unsigned cpu)
{
    unsigned apic_id = (unsigned)cpu_get(cpu)->apic_id;

    say(d, "physical id\t: %u\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\n", cpu);
    say(d, "apicid\t\t: %u\ninitial apicid\t: %u\n", apic_id, apic_id);
}

static unsigned physical_bits(const struct cpu_identity *id)
{
    return id->physical_bits ? id->physical_bits : cpu_features & (CPU_PAE | CPU_PSE36) ? 36 : 32;
}

/* The processors are alike; how much of buf it takes. */
int cpu_describe(unsigned cpu, char *buf, uint32_t size)
{
    const struct cpu_identity *id = cpu_identity();
    unsigned khz = clock_tsc_khz(), line = id->line_bytes ? id->line_bytes : 32;
    const char *fpu = cpu_features & CPU_FPU ? "yes" : "no";
    struct description d = {buf, size, 0};

    say(&d, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n", cpu, id->vendor,
        cpu_family(), cpu_model());
    say(&d, "model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %u.%03u\n",
        id->brand[0] ? id->brand : "unknown", (unsigned)(id->signature & 0xf), khz / 1000,
        khz % 1000);
    say_place(&d, cpu);
    say(&d, "fdiv_bug\t: no\nf00f_bug\t: no\ncoma_bug\t: no\nfpu\t\t: %s\nfpu_exception\t: %s\n",
        fpu, fpu);
    say(&d, "cpuid level\t: %u\nwp\t\t: yes\n", (unsigned)id->max_leaf);
    say_features(&d, id);
    say(&d, "bogomips\t: %u.%02u\nclflush size\t: %u\ncache_alignment\t: %u\n", khz / 500,
        khz / 5 % 100, line, line);
    say(&d, "address sizes\t: %u bits physical, 32 bits virtual\npower management:\n\n",
        physical_bits(id));
    return (int)(d.at < size ? d.at : size);
}
