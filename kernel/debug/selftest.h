/* The kernel's own tests, run by the boot option selftest instead of an init. */
#ifndef KERNEL_SELFTEST_H
#define KERNEL_SELFTEST_H

_Noreturn void selftest(void);

#endif
