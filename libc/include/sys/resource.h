/* What a process has used, as Linux i386 counts it. */
#ifndef SYS_RESOURCE_H
#define SYS_RESOURCE_H

#define RUSAGE_SELF     0
#define RUSAGE_CHILDREN (-1)

struct timeval32 {
    int tv_sec, tv_usec;
};

struct rusage {
    struct timeval32 ru_utime, ru_stime;
    long ru_maxrss; /* KiB */
    long ru_ixrss, ru_idrss, ru_isrss;
    long ru_minflt, ru_majflt;
    long ru_nswap, ru_inblock, ru_oublock, ru_msgsnd, ru_msgrcv, ru_nsignals;
    long ru_nvcsw, ru_nivcsw;
};

int getrusage(int who, struct rusage *usage);

#endif
