/*
 * What is to run once at boot and is named nowhere below it: INIT_AT puts a function into a table
 * that the linker makes (boot/linker.ld), and whoever reaches a level runs what is there, in the
 * order of linking. A driver thus starts without anybody's naming it.
 */
#ifndef KERNEL_INIT_H
#define KERNEL_INIT_H

enum init_level {
    INIT_CONSOLE, /* arch: before there is memory, interrupts off: polled output */
    INIT_SCREEN,  /* arch: the same, and map_framebuffer() works */
    INIT_DISK,    /* process 1, before the root is mounted; may sleep */
    INIT_DEVICE,  /* process 1, with the root mounted; may sleep */
    INIT_SYSFS,   /* before sysfs is mounted for the first time; may sleep */
};

struct init_entry {
    enum init_level level;
    void (*run)(void);
};

#define INIT_AT(at, function)                                                                      \
    static const struct init_entry init_##function                                                 \
        __attribute__((used, section(".init_table"))) = {at, function}

void init_run(enum init_level level);

#endif
