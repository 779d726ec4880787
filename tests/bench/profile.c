/*
 * A plugin for QEMU's translator: how often each instruction of the kernel was executed between
 * the two marks of the bench (begin() and end() in bench.c), exactly.
 *
 *   -plugin profile.so,out=FILE[,boot=on]   FILE: "user COUNT", then "ADDRESS COUNT", address in
 *                                           hexadecimal; boot: all before the first end() too
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "qemu_plugin.h"

#define KERNEL_BASE 0x80000000u
#define KERNEL_SIZE (16u << 20) /* what of it can be code */

struct counts {
    uint64_t user, kernel[KERNEL_SIZE];
};

/* The translator's code adds to `running` all the time; what counts is what came between marks. */
static struct counts *running, *sum;
static int counting;
static FILE *out;

static void at_begin(unsigned cpu, void *arg)
{
    (void)cpu, (void)arg;
    memset(running, 0, sizeof(*running));
    counting = 1;
}

static void at_end(unsigned cpu, void *arg)
{
    (void)cpu, (void)arg;
    if (!counting)
        return;
    counting = 0;
    sum->user += running->user;
    for (size_t i = 0; i < KERNEL_SIZE; i++)
        sum->kernel[i] += running->kernel[i];
}

static int is(const struct qemu_plugin_insn *insn, const char *bytes, size_t n)
{
    return qemu_plugin_insn_size(insn) == n && !memcmp(qemu_plugin_insn_data(insn), bytes, n);
}

static void watch(struct qemu_plugin_insn *insn)
{
    uint64_t at = qemu_plugin_insn_vaddr(insn);

    if (at >= KERNEL_BASE) {
        if (at - KERNEL_BASE < KERNEL_SIZE)
            qemu_plugin_register_vcpu_insn_exec_inline(insn, PLUGIN_ADD,
                                                       &running->kernel[at - KERNEL_BASE], 1);
        return;
    }
    qemu_plugin_register_vcpu_insn_exec_inline(insn, PLUGIN_ADD, &running->user, 1);
    if (is(insn, "\x66\x87\xdb", 3)) /* xchg %bx, %bx */
        qemu_plugin_register_vcpu_insn_exec_cb(insn, at_begin, PLUGIN_NO_REGS, NULL);
    if (is(insn, "\x66\x87\xc9", 3)) /* xchg %cx, %cx */
        qemu_plugin_register_vcpu_insn_exec_cb(insn, at_end, PLUGIN_NO_REGS, NULL);
}

static void translate(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
        watch(qemu_plugin_tb_get_insn(tb, i));
}

static void report(uint64_t id, void *arg)
{
    (void)id, (void)arg;
    fprintf(out, "user %" PRIu64 "\n", sum->user);
    for (size_t i = 0; i < KERNEL_SIZE; i++)
        if (sum->kernel[i])
            fprintf(out, "%" PRIx64 " %" PRIu64 "\n", (uint64_t)KERNEL_BASE + i, sum->kernel[i]);
    fclose(out);
}

int qemu_plugin_version = 1;

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc < 1 || strncmp(argv[0], "out=", 4) != 0 || !(out = fopen(argv[0] + 4, "w")))
        return -1;
    counting = argc > 1 && strcmp(argv[1], "boot=on") == 0;
    running = calloc(1, sizeof(*running));
    sum = calloc(1, sizeof(*sum));
    if (!running || !sum)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_atexit_cb(id, report, NULL);
    return 0;
}
