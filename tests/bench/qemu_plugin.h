/*
 * What the plugins here use of QEMU's interface for plugins of its translator. Debian packages no
 * qemu-plugin.h. [QEMU 7.2 docs/devel/tcg-plugins.rst, include/qemu/qemu-plugin.h]
 */
#ifndef BENCH_QEMU_PLUGIN_H
#define BENCH_QEMU_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

enum { PLUGIN_ADD };                      /* enum qemu_plugin_op: adds to a 64-bit number */
enum { PLUGIN_NO_REGS };                  /* enum qemu_plugin_cb_flags */
enum { PLUGIN_LOADS = 1, PLUGIN_STORES }; /* enum qemu_plugin_mem_rw */

struct qemu_plugin_tb; /* a translated block */
struct qemu_plugin_insn;
typedef void (*translated_fn)(uint64_t id, struct qemu_plugin_tb *tb);
typedef void (*exit_fn)(uint64_t id, void *arg);
typedef void (*executed_fn)(unsigned cpu, void *arg);
typedef void (*accessed_fn)(unsigned cpu, uint32_t info, uint64_t va, void *arg);

/* To be defined by the plugin. */
extern EXPORT int qemu_plugin_version; /* 1 */
EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated_fn fn);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *to,
                                              uint64_t n);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *to,
                                                uint64_t n);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, executed_fn fn,
                                            int flags, void *arg);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, accessed_fn fn, int flags,
                                      int which, void *arg);
_Bool qemu_plugin_mem_is_store(uint32_t info);
void qemu_plugin_register_atexit_cb(uint64_t id, exit_fn fn, void *arg);

#endif
