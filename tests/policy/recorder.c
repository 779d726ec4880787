/*
 * A plugin for qemu-user (TCG) that records which pages a program touches, for the policy
 * simulator.
 *
 *     qemu-x86_64 -plugin ./recorder.so,out=FILE PROGRAM ...
 *
 * FILE grows by one little-endian word a reference: page << 1 | kind (trace.h). Pages are numbered
 * in the order of their first touch, over all processes of the run. After a fork both sides share
 * their pages until one of them writes, as copy-on-write has it. What is among the last RECENT
 * words is not written again: those pages stay in memory under any policy worth a look.
 *
 * No qemu-plugin.h is packaged; the few calls are declared here. [QEMU docs/devel/tcg-plugins]
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tests/policy/trace.h"

#define EXPORT     __attribute__((visibility("default")))
#define RECENT     512u
#define PAGES_MAX  (1u << 20) /* of one process; a hash, kept at most half full */
#define CHUNK      1024u      /* words; what one process writes without another's in between */
#define PAGE_SHIFT 12
#define INHERITED                                                                                  \
    1u /* another process may share it: the first write gives it a number of its own */

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void plugin_tb_cb(uint64_t id, struct qemu_plugin_tb *tb);
typedef void plugin_exec_cb(unsigned cpu, void *data);
typedef void plugin_mem_cb(unsigned cpu, uint32_t info, uint64_t vaddr, void *data);
typedef void plugin_exit_cb(uint64_t id, void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, plugin_tb_cb *cb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, plugin_exec_cb *cb, int flags,
                                          void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, plugin_mem_cb *cb, int flags,
                                      int rw, void *data);
void qemu_plugin_register_atexit_cb(uint64_t id, plugin_exit_cb *cb, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t n);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
bool qemu_plugin_mem_is_store(uint32_t info);

EXPORT int qemu_plugin_version = 1;

struct page {
    uint64_t vpage; /* 0: this place of the hash is free */
    uint32_t number, flags;
    uint32_t recorded; /* how many words were written by then; 0: none of this page */
};

static struct page *pages;
static uint32_t *next_number; /* shared with the children */
static uint32_t recorded;
static uint32_t chunk[CHUNK];
static unsigned chunk_used;
static int out = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void flush(void)
{
    if (chunk_used && write(out, chunk, chunk_used * sizeof(chunk[0])) < 0)
        abort();
    chunk_used = 0;
}

static void record(uint32_t number, unsigned kind)
{
    recorded++;
    chunk[chunk_used++] = number << TRACE_SHIFT | kind;
    if (chunk_used == CHUNK)
        flush();
}

static uint32_t draw_number(void)
{
    return __atomic_fetch_add(next_number, 1, __ATOMIC_RELAXED);
}

static struct page *page_at(uint64_t vpage)
{
    uint32_t at = (uint32_t)(vpage * 0x9e3779b97f4a7c15u >> 44);

    while (pages[at].vpage && pages[at].vpage != vpage)
        at = (at + 1) % PAGES_MAX;
    if (!pages[at].vpage)
        pages[at] = (struct page){vpage, draw_number(), 0, 0};
    return &pages[at];
}

static bool is_recent(const struct page *p)
{
    return p->recorded && recorded - p->recorded < RECENT;
}

static void touch(uint64_t vaddr, bool write)
{
    uint64_t vpage = (vaddr >> PAGE_SHIFT) + 1;
    struct page *p;

    pthread_mutex_lock(&lock);
    p = page_at(vpage);
    if (write && (p->flags & INHERITED))
        *p = (struct page){vpage, draw_number(), 0, 0};
    if (!is_recent(p)) {
        record(p->number, TRACE_TOUCH);
        p->recorded = recorded;
    }
    pthread_mutex_unlock(&lock);
}

static void on_memory(unsigned cpu, uint32_t info, uint64_t vaddr, void *data)
{
    (void)cpu;
    (void)data;
    touch(vaddr, qemu_plugin_mem_is_store(info));
}

static void on_block(unsigned cpu, void *data)
{
    (void)cpu;
    touch((uintptr_t)data, false);
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, 0,
                                         (void *)(uintptr_t)qemu_plugin_tb_vaddr(tb));
    for (size_t n = 0; n < qemu_plugin_tb_n_insns(tb); n++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, n), on_memory, 0, 3, NULL);
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
    flush();
    for (uint32_t at = 0; at < PAGES_MAX; at++)
        pages[at].flags |= INHERITED;
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

/* A process that ends takes with it what is its alone. */
static void at_exit(uint64_t id, void *data)
{
    (void)id;
    (void)data;
    for (uint32_t at = 0; at < PAGES_MAX; at++)
        if (pages[at].vpage && !(pages[at].flags & INHERITED))
            record(pages[at].number, TRACE_GONE);
    flush();
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) != 0)
        return -1;
    out = open(argv[0] + 4, O_WRONLY | O_CREAT | O_APPEND, 0666);
    pages = calloc(PAGES_MAX, sizeof(pages[0]));
    next_number =
        mmap(NULL, sizeof(*next_number), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (out < 0 || !pages || next_number == MAP_FAILED)
        return -1;
    pthread_atfork(before_fork, after_fork, after_fork);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
