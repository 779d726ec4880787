/* struct rusage of Linux i386, man 2 getrusage. */
#ifndef KERNEL_UAPI_RUSAGE_H
#define KERNEL_UAPI_RUSAGE_H

#include <stdint.h>
#include "kernel/time/time.h"

struct user_rusage {
    struct timeval32 utime, stime;
    int32_t maxrss; /* KiB */
    int32_t ixrss, idrss, isrss;
    int32_t minflt, majflt;
    int32_t nswap, inblock, oublock, msgsnd, msgrcv, nsignals;
    int32_t nvcsw, nivcsw;
};

struct rusage_counts;
struct timeval32 timeval_of(uint64_t ns);
void rusage_pack(struct user_rusage *out,
                 const struct rusage_counts *in); /* kernel/syscall/sys_resource.c */

#endif
