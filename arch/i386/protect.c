/*
 * What newer CPUs offer against a kernel that is made to use a program's memory: SMEP (the kernel
 * runs no code of user pages), SMAP (it reads and writes them only between stac and clac), UMIP
 * (programs cannot ask where the kernel's tables lie). [SDM 3A 4.6, 2.5]
 *
 * stac and clac stand in the copy windows of uaccess.asm, clac at every entry (entry.asm). They are
 * assembled as instructions of the same length that do nothing and put in here, once, before the
 * kernel's text becomes read-only: a CPU without SMAP pays one such instruction.
 */
#include "arch/i386/i386.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "libc/string.h"

#define SITE_LEN 3

/* smap.inc; linker.ld */
extern uint8_t *const stac_start[], *const stac_end[], *const clac_start[], *const clac_end[];

static void patch(uint8_t *const *site, uint8_t *const *end, const uint8_t code[SITE_LEN])
{
    for (; site < end; site++)
        memcpy(*site, code, SITE_LEN);
}

static void patch_windows(void)
{
    static const uint8_t stac[SITE_LEN] = {0x0f, 0x01, 0xcb}, clac[SITE_LEN] = {0x0f, 0x01, 0xca};

    patch(stac_start, stac_end, stac);
    patch(clac_start, clac_end, clac);
}

void cpu_protection_init(void)
{
    uint32_t bits = 0;

    if ((cpu_features_7_ebx & CPU7_SMEP) && !boot_flag("nosmep"))
        bits |= CR4_SMEP;
    if ((cpu_features_7_ebx & CPU7_SMAP) && !boot_flag("nosmap"))
        bits |= CR4_SMAP;
    if ((cpu_features_7_ecx & CPU7_UMIP) && !boot_flag("noumip"))
        bits |= CR4_UMIP;
    if (bits & CR4_SMAP)
        patch_windows();
    if (bits)
        cpu_control_add(bits);
    klog(LOG_INFO, "Kernel protected by%s%s%s%s\n", bits & CR4_SMEP ? " SMEP" : "",
         bits & CR4_SMAP ? " SMAP" : "", bits & CR4_UMIP ? " UMIP" : "",
         bits ? "" : " pages alone: no SMEP, SMAP, UMIP");
}
