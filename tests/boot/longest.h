/*
 * What the inits of test_stretches.py share: each does long things, and after each prints what
 * /proc/latency has: "longest NAME irq_off N from ... to ...", and the same of no_switch.
 */
#ifndef BOOT_LONGEST_H
#define BOOT_LONGEST_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <unistd.h>

#define PAGE 4096u
#define RW   (PROT_READ | PROT_WRITE)

static void die(const char *what)
{
    perror(what);
    reboot(RB_POWER_OFF);
}

static void forget(void)
{
    int fd = open("/proc/latency", O_WRONLY);

    if (fd < 0 || write(fd, "0", 1) != 1)
        die("/proc/latency");
    close(fd);
}

static void report(const char *name)
{
    char text[512] = "", *line;
    int fd = open("/proc/latency", O_RDONLY);

    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        die("/proc/latency");
    close(fd);
    for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        printf("longest %-12s %s\n", name, line);
    forget();
}

#endif
