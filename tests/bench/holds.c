/*
 * A plugin for QEMU's translator: when the kernel's locks are taken and let go, in instructions,
 * from one mark of smp.c's to the next. An exchange takes a lock, a plain store lets it go. Nobody
 * else wants them: an exchange of a lock that is held is one that the translator does once more.
 *
 *   -plugin holds.so,out=FILE,begin=N,lock=ADDRESS...
 *
 * FILE: "TIME LOCK" for each such moment after the N-th begin(), LOCK as they are named, from 0;
 * then "TIME end".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "qemu_plugin.h"

#define KERNEL_BASE 0x80000000u
#define LOCKS       128

static uint64_t lock[LOCKS];
static int held[LOCKS];
static unsigned locks;
static uint64_t lowest = UINT64_MAX, highest;

static FILE *out;
static uint64_t executed, began;
static int wait_for; /* so many more begin() */
static unsigned processor;
static enum { BEFORE, WITHIN, AFTER } now;

static void at_begin(unsigned cpu, void *arg)
{
    (void)arg;
    if (now != BEFORE || --wait_for > 0)
        return;
    now = WITHIN;
    processor = cpu;
    began = executed;
}

static void at_end(unsigned cpu, void *arg)
{
    (void)arg;
    if (now != WITHIN || cpu != processor)
        return;
    now = AFTER;
    fprintf(out, "%" PRIu64 " end\n", executed - began);
    fclose(out);
}

static void at_store(unsigned cpu, uint32_t info, uint64_t va, void *takes)
{
    if (now != WITHIN || cpu != processor || va < lowest || va > highest ||
        !qemu_plugin_mem_is_store(info))
        return;
    for (unsigned i = 0; i < locks; i++) {
        if (lock[i] != va || held[i] == (takes != NULL))
            continue;
        held[i] = takes != NULL;
        fprintf(out, "%" PRIu64 " %u\n", executed - began, i);
    }
}

/* Whether a store is a part of an exchange: mov has these opcodes. [SDM 2B MOV] */
static int exchanges(const struct qemu_plugin_insn *insn)
{
    uint8_t op = *(const uint8_t *)qemu_plugin_insn_data(insn);

    return !(op == 0x88 || op == 0x89 || op == 0xa2 || op == 0xa3 || op == 0xc6 || op == 0xc7);
}

static int is(const struct qemu_plugin_insn *insn, const char *bytes, size_t n)
{
    return qemu_plugin_insn_size(insn) == n && !memcmp(qemu_plugin_insn_data(insn), bytes, n);
}

static void watch(struct qemu_plugin_insn *insn)
{
    qemu_plugin_register_vcpu_insn_exec_inline(insn, PLUGIN_ADD, &executed, 1);
    if (qemu_plugin_insn_vaddr(insn) >= KERNEL_BASE)
        qemu_plugin_register_vcpu_mem_cb(insn, at_store, PLUGIN_NO_REGS, PLUGIN_STORES,
                                         exchanges(insn) ? &held : NULL);
    else if (is(insn, "\x66\x87\xdb", 3)) /* xchg %bx, %bx */
        qemu_plugin_register_vcpu_insn_exec_cb(insn, at_begin, PLUGIN_NO_REGS, NULL);
    else if (is(insn, "\x66\x87\xc9", 3)) /* xchg %cx, %cx */
        qemu_plugin_register_vcpu_insn_exec_cb(insn, at_end, PLUGIN_NO_REGS, NULL);
}

static void translate(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
        watch(qemu_plugin_tb_get_insn(tb, i));
}

static int argument(const char *arg)
{
    if (strncmp(arg, "out=", 4) == 0) {
        out = fopen(arg + 4, "w");
        return out != NULL;
    }
    if (strncmp(arg, "begin=", 6) == 0) {
        wait_for = atoi(arg + 6);
        return 1;
    }
    if (strncmp(arg, "lock=", 5) != 0 || locks == LOCKS)
        return 0;
    lock[locks] = strtoull(arg + 5, NULL, 16);
    lowest = lock[locks] < lowest ? lock[locks] : lowest;
    highest = lock[locks] > highest ? lock[locks] : highest;
    locks++;
    return 1;
}

int qemu_plugin_version = 1;

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++)
        if (!argument(argv[i]))
            return -1;
    if (!out)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    return 0;
}
