/* What another process is at, as /proc tells. */
#ifndef GUEST_STATES_H
#define GUEST_STATES_H

#include "guest.h"

/* The letter of a process's or thread's state. */
__attribute__((unused)) static char state_of(pid_t pid)
{
    char path[64], state = '?';
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "r");
    if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
        state = '?';
    if (f)
        fclose(f);
    return state;
}

__attribute__((unused)) static void until_state(pid_t pid, char state)
{
    while (state_of(pid) != state)
        usleep(1000);
}

#endif
