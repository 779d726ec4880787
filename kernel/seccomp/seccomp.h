/*
 * seccomp: system calls that a thread has given up. man 2 seccomp
 *
 * A thread is in no mode, in the strict one, or has filters: programs of classic BPF that judge
 * each of its calls. A filter points to the one before it; threads share chains, and a chain only
 * ever grows at the end that nobody shares. While any thread has a mode, trace_mask has
 * TRACE_FILTERS, so that others pay nothing.
 */
#ifndef KERNEL_SECCOMP_H
#define KERNEL_SECCOMP_H

#include "kernel/thread/proc.h"

#define SECCOMP_NONE   0
#define SECCOMP_STRICT 1
#define SECCOMP_FILTER 2
#define SECCOMP_DEAD   3 /* it has made a call that ends it */

/* What a filter says: the higher half, of which the lowest as a signed number wins. */
#define SECCOMP_RET_KILL_PROCESS 0x80000000u
#define SECCOMP_RET_KILL_THREAD  0x00000000u
#define SECCOMP_RET_TRAP         0x00030000u
#define SECCOMP_RET_ERRNO        0x00050000u
#define SECCOMP_RET_USER_NOTIF   0x7fc00000u
#define SECCOMP_RET_TRACE        0x7ff00000u
#define SECCOMP_RET_LOG          0x7ffc0000u
#define SECCOMP_RET_ALLOW        0x7fff0000u
#define SECCOMP_ACTION(ret)      ((ret)&0xffff0000u)
#define SECCOMP_DATA(ret)        ((ret)&0xffffu)

#define SECCOMP_ARCH      0x40000003u /* AUDIT_ARCH_I386 */
#define SECCOMP_ARGUMENTS 6

struct seccomp_data { /* what a filter looks at */
    int32_t nr;
    uint32_t arch;
    uint64_t instruction_pointer;
    uint64_t args[SECCOMP_ARGUMENTS];
};
#define SECCOMP_DATA_BYTES 64u
_Static_assert(sizeof(struct seccomp_data) == SECCOMP_DATA_BYTES, "Linux layout");

/* ---- Programs: bpf.c ---- */

struct bpf_instruction { /* struct sock_filter */
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
};
#define BPF_MOST    4096u
#define BPF_IN_PAGE (PAGE_SIZE / (uint32_t)sizeof(struct bpf_instruction))
#define BPF_PAGES   (BPF_MOST / BPF_IN_PAGE)

struct bpf_program {
    uint32_t length;
    struct bpf_instruction *page[BPF_PAGES];
};
int bpf_load(struct bpf_program *p, const void __user *ucode,
             uint32_t length);              /* -EFAULT, -ENOMEM */
int bpf_check(const struct bpf_program *p); /* -EINVAL, -ENOMEM */
void bpf_free(struct bpf_program *p);
int bpf_store(const struct bpf_program *p, void __user *ucode); /* -EFAULT */
uint32_t bpf_run(const struct bpf_program *p, const struct seccomp_data *d);

/* ---- Filters: filter.c ---- */

struct trapframe;
/* What is to become of the call that the current thread is about to make, SECCOMP_RET_*. */
uint32_t seccomp_judge(const struct trapframe *tf);
uint32_t seccomp_count(const struct thread *t); /* filters; [proc_lock held] */
void seccomp_fork(struct thread *child);        /* [proc_lock held] of the current thread */
void seccomp_exit(struct thread *t);
int seccomp_set_strict(void);
long seccomp_set_filter(uint32_t flags, const void __user *uprogram);
/* For t's tracer, t being stopped: the program of its filter number nth, of which the oldest is 0,
 * and how many instructions it has; what SECCOMP_FILTER_FLAG_* it has, to umeta, which names it. */
long seccomp_get_filter(struct thread *t, uint32_t nth, void __user *ucode);
long seccomp_get_metadata(struct thread *t, uint32_t size, void __user *umeta);

#endif
