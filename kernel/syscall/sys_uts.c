/* uname in its three sizes, sethostname, setdomainname. */
#include "arch/uaccess.h"
#include "kernel/thread/personality.h"
#include "kernel/thread/proc.h"
#include "kernel/machine/uts.h"
#include "kernel/base/version.h"
#include "libc/errno.h"
#include "libc/string.h"

#define FIELD_LEN (UTS_NAME_MAX + 1)
#define OLD_LEN   9 /* fields of the first uname */
#define FIELDS    6

static void get_field(unsigned i, char *buf)
{
    static const char *const fixed[FIELDS] = {
        UTS_SYSNAME, NULL, UTS_RELEASE, UTS_VERSION, UTS_MACHINE, NULL,
    };

    memset(buf, 0, FIELD_LEN);
    if (i == 2 && personality_has(UNAME26))
        strlcpy(buf, UTS_RELEASE_26, FIELD_LEN);
    else if (fixed[i])
        strlcpy(buf, fixed[i], FIELD_LEN);
    else if (i == 1)
        uts_get_hostname(buf);
    else
        uts_get_domainname(buf);
}

/* count fields of len bytes each. */
static long put_fields(void __user *ubuf, unsigned count, size_t len)
{
    char field[FIELD_LEN];

    for (unsigned i = 0; i < count; i++) {
        get_field(i, field);
        field[len - 1] = '\0';
        if (copy_to_user((char __user *)ubuf + i * len, field, len))
            return -EFAULT;
    }
    return 0;
}

long sys_uname(void __user *ubuf)
{
    return put_fields(ubuf, FIELDS, FIELD_LEN);
}

long sys_olduname(void __user *ubuf)
{
    return put_fields(ubuf, FIELDS - 1, FIELD_LEN);
}

long sys_oldolduname(void __user *ubuf)
{
    return put_fields(ubuf, FIELDS - 1, OLD_LEN);
}

static long set_name(int (*set)(const char *, size_t), void __user *ubuf, uint32_t len)
{
    char new[UTS_NAME_MAX];

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (len > UTS_NAME_MAX)
        return -EINVAL;
    if (copy_from_user(new, ubuf, len))
        return -EFAULT;
    return set(new, len);
}

long sys_sethostname(void __user *ubuf, uint32_t len)
{
    return set_name(uts_set_hostname, ubuf, len);
}

long sys_setdomainname(void __user *ubuf, uint32_t len)
{
    return set_name(uts_set_domainname, ubuf, len);
}
