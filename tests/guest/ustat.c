/* ustat: a mounted file system, none, a bad pointer. */
#include "guest.h"

int main(void)
{
    struct stat st;
    char buf[20];

    DIE_UNLESS(stat("/proc", &st) == 0);
    SHOW(syscall(SYS_ustat, (unsigned)st.st_dev, buf));
    SHOW(syscall(SYS_ustat, 0xfffff, buf));
    SHOW(syscall(SYS_ustat, (unsigned)st.st_dev, NULL));
    return 0;
}
