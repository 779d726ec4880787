/* Host and domain name. */
#include "kernel/machine/uts.h"
#include "arch/lock.h"
#include "libc/errno.h"
#include "libc/string.h"

static struct spinlock uts_lock = SPINLOCK_INIT("uts", LOCK_RANK_LEAF);
static char hostname[UTS_NAME_MAX + 1] = "(none)";   /* [uts_lock] */
static char domainname[UTS_NAME_MAX + 1] = "(none)"; /* [uts_lock] */

static void get_name(char *buf, const char *name)
{
    spin_lock(&uts_lock);
    memcpy(buf, name, UTS_NAME_MAX + 1);
    spin_unlock(&uts_lock);
}

static int set_name(char *to, const char *name, size_t len)
{
    if (len > UTS_NAME_MAX)
        return -EINVAL;
    spin_lock(&uts_lock);
    memset(to, 0, UTS_NAME_MAX + 1);
    memcpy(to, name, len);
    spin_unlock(&uts_lock);
    return 0;
}

void uts_get_hostname(char *buf)
{
    get_name(buf, hostname);
}

void uts_get_domainname(char *buf)
{
    get_name(buf, domainname);
}

int uts_set_hostname(const char *name, size_t len)
{
    return set_name(hostname, name, len);
}

int uts_set_domainname(const char *name, size_t len)
{
    return set_name(domainname, name, len);
}
