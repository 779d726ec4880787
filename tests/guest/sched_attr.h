/* What sched_setattr(2) takes. */
#ifndef SCHED_ATTR_H
#define SCHED_ATTR_H

#include <sched.h>
#include <stdint.h>

#define NOBODY 65534

struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

#endif
