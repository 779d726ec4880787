/*
 * Who a process is, and what it may: ids, supplementary groups, capabilities. man 7 credentials,
 * man 7 capabilities.
 *
 * Permitted bounds effective, always; ambient is within permitted and inheritable. A group list
 * never changes: whoever keeps one holds a reference.
 */
#ifndef KERNEL_CRED_H
#define KERNEL_CRED_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/user.h"

enum { /* Linux's numbers; one that nothing here asks for can be held, dropped and passed on */
       CAP_CHOWN,
       CAP_DAC_OVERRIDE,
       CAP_DAC_READ_SEARCH,
       CAP_FOWNER,
       CAP_FSETID,
       CAP_KILL,
       CAP_SETGID,
       CAP_SETUID,
       CAP_SETPCAP,
       CAP_LINUX_IMMUTABLE,
       CAP_NET_ADMIN = 12,
       CAP_NET_RAW,
       CAP_IPC_LOCK,
       CAP_IPC_OWNER,
       CAP_SYS_RAWIO = 17,
       CAP_SYS_CHROOT,
       CAP_SYS_PTRACE,
       CAP_SYS_PACCT,
       CAP_SYS_ADMIN,
       CAP_SYS_BOOT,
       CAP_SYS_NICE,
       CAP_SYS_RESOURCE,
       CAP_SYS_TIME,
       CAP_SYS_TTY_CONFIG,
       CAP_MKNOD,
       CAP_LEASE = 28,
       CAP_AUDIT_CONTROL = 30,
       CAP_SETFCAP = 31,
       CAP_MAC_OVERRIDE,
       CAP_SYSLOG = 34,
       CAP_WAKE_ALARM,
       CAP_CHECKPOINT_RESTORE = 40,
};
#define CAP_LAST     40
#define CAP_BIT(cap) (1ull << (cap))
#define CAPS_ALL     (CAP_BIT(CAP_LAST + 1) - 1)

static inline uint64_t caps_join(uint32_t low, uint32_t high)
{
    return (low | (uint64_t)high << 32) & CAPS_ALL;
}

/* What ids of 16 bits show of one that does not fit: /proc/sys/kernel. */
extern uint32_t overflow_uid, overflow_gid;

static inline uint16_t uid_narrow(uint32_t id)
{
    return (uint16_t)(id > UINT16_MAX ? overflow_uid : id);
}

static inline uint16_t gid_narrow(uint32_t id)
{
    return (uint16_t)(id > UINT16_MAX ? overflow_gid : id);
}

#define SECURE_NOROOT           0x01u /* each is followed by the bit that locks it */
#define SECURE_NO_SETUID_FIXUP  0x04u
#define SECURE_KEEP_CAPS        0x10u
#define SECURE_NO_AMBIENT_RAISE 0x40u
#define SECURE_BITS             0x55u
#define SECURE_LOCKS            0xaau

#define GROUPS_MAX 65536u /* NGROUPS_MAX */

#define GROUPS_BLOCK 1024u

struct group_list {
    uint32_t refs; /* atomic */
    uint32_t count;
    uint32_t *blocks[]; /* of GROUPS_BLOCK ids, ascending; the last as long as it must be */
};

static inline uint32_t *group_at(const struct group_list *g, uint32_t i)
{
    return &g->blocks[i / GROUPS_BLOCK][i % GROUPS_BLOCK];
}

struct cred {
    uint32_t uid, euid, suid, fsuid;
    uint32_t gid, egid, sgid, fsgid;
    struct group_list *groups; /* NULL: none */
    uint64_t effective, permitted, inheritable, bounding, ambient;
    uint32_t securebits;
};

/* What a file gives to whom runs it: man 7 capabilities, "File capabilities". */
struct file_caps {
    uint64_t permitted, inheritable;
    bool effective;
};

struct group_list *groups_new(uint32_t count);       /* to be filled; NULL: no memory */
struct group_list *groups_get(struct group_list *g); /* with one reference more */
void groups_put(struct group_list *g);
long groups_to_user(const struct group_list *g, void __user *ulist, bool wide); /* 0, -EFAULT */
bool groups_have(const struct group_list *g, uint32_t gid);

/* Whether own (the gid that counts here) or a supplementary group of c is gid. */
static inline bool cred_in_group(const struct cred *c, uint32_t own, uint32_t gid)
{
    return own == gid || (c->groups && groups_have(c->groups, gid));
}

static inline bool cred_capable(const struct cred *c, unsigned cap)
{
    return c->effective >> cap & 1;
}

/* A change of ids moves capabilities; of the fsuid alone: those of file access. */
void cred_fix_caps(struct cred *new, const struct cred *old);
void cred_fix_fs_caps(struct cred *new, const struct cred *old);
/* What exec makes of new, which has the ids of the file already. file: NULL: has none. barred: it
 * must not gain anything, no_new_privs: nor keep what it got by set-user-ID before. 0 or -EPERM;
 * *secure: the program is told not to trust its environment. */
int cred_exec(struct cred *new, const struct cred *old, const struct file_caps *file, bool barred,
              bool *secure);
/* The prctl options on capabilities; -EINVAL: it is none of them. */
long cred_prctl(uint32_t option, uint32_t a2, uint32_t a3, uint32_t a4, uint32_t a5);

#endif
