/*
 * What the files of procfs share: a tree of entries, each with a function that writes its text.
 *
 * Nothing in /proc holds on to a process. An inode remembers whom it is about (struct target), and
 * every operation looks the process up again: when it is gone, or another one has got its number,
 * the answer is -ESRCH.
 */
#ifndef FS_PROCFS_H
#define FS_PROCFS_H

#include "fs/vfs/text.h"
#include "fs/vfs/vfs.h"
#include "kernel/thread/proc.h"

struct target {
    int32_t pid;       /* 0: the system as a whole */
    int32_t tid;       /* below task/: one thread; else 0 */
    int32_t by;        /* the thread by whose number the process was found; 0: the first */
    int32_t fd;        /* below fd/ and fdinfo/ */
    uint64_t start_ns; /* of the process: tells a reused pid */
};

enum entry_kind {
    ENTRY_FILE,
    ENTRY_DIR,    /* children are all there is */
    ENTRY_ROOT,   /* and the processes */
    ENTRY_TASKS,  /* the threads of a process */
    ENTRY_FDS,    /* the descriptors, as links */
    ENTRY_FDINFO, /* the descriptors, as files */
    ENTRY_LINK,   /* a text */
    ENTRY_MAPS,   /* the mapped files, as links */
    ENTRY_PLACE,  /* a magic link: leads to the place itself */
};

struct proc_entry {
    const char *name; /* NULL ends a table */
    uint8_t kind;
    uint16_t mode; /* permissions */
    bool guarded;  /* and opening takes the right to look into the process */
    const struct proc_entry *children;
    /* ENTRY_FILE, ENTRY_LINK: writes the text. 0 or -errno. May sleep. */
    int (*show)(struct text *t, const struct target *who);
    /* ENTRY_FILE: what was written, terminated. 0 or -errno. May sleep. */
    int (*store)(const char *text, size_t len, const struct target *who);
    /* ENTRY_PLACE: a reference, or NULL with *err. May sleep. */
    int (*place)(const struct target *who, struct path *out);
    const struct file_ops *fops; /* instead of show */
    uint32_t (*size)(void);      /* with fops: what stat tells; NULL: 0 */
    /* ENTRY_FILE whose changes can be waited for: how many there were, and the queue that is woken.
     */
    const uint32_t *changes;
    struct waitq *changed;
};

#define DIR_ENTRY(n, m, table)                                                                     \
    {                                                                                              \
        .name = (n), .kind = ENTRY_DIR, .mode = (m), .children = (table)                           \
    }
#define FILE_ENTRY(n, m, fn)                                                                       \
    {                                                                                              \
        .name = (n), .kind = ENTRY_FILE, .mode = (m), .show = (fn)                                 \
    }
#define GUARDED_ENTRY(n, m, fn)                                                                    \
    {                                                                                              \
        .name = (n), .kind = ENTRY_FILE, .mode = (m), .guarded = true, .show = (fn)                \
    }
#define STORE_ENTRY(n, m, fn, s)                                                                   \
    {                                                                                              \
        .name = (n), .kind = ENTRY_FILE, .mode = (m), .show = (fn), .store = (s)                   \
    }
#define LINK_ENTRY(n, fn)                                                                          \
    {                                                                                              \
        .name = (n), .kind = ENTRY_LINK, .mode = 0777, .show = (fn)                                \
    }
#define PLACE_ENTRY(n, fn)                                                                         \
    {                                                                                              \
        .name = (n), .kind = ENTRY_PLACE, .mode = 0777, .place = (fn)                              \
    }

extern const struct proc_entry system_entries[];       /* system.c */
extern const struct proc_entry sysctl_entries[];       /* sys/sysctl.c */
extern const struct proc_entry sysctl_vm_entries[];    /* sys/sysctl_vm.c */
extern const struct proc_entry sysvipc_entries[];      /* sysvipc.c */
extern const struct proc_entry net_entries[];          /* net.c: /proc/net */
extern const struct proc_entry sysctl_net_entries[];   /* net.c */
extern const struct proc_entry process_entries[];      /* process.c: /proc/PID */
extern const struct proc_entry sysctl_fs_entries[];    /* sys/sysctl_fs.c */
extern const struct proc_entry thread_entries[];       /* the same for /proc/PID/task/TID */
extern const struct proc_entry fd_entry, fdinfo_entry; /* fd.c: what is in fd/ and fdinfo/ */

struct proc_inode {
    const struct proc_entry *entry;
    struct target who;
    bool setting; /* below /proc/sys: what cannot be set is not opened to be written, by nobody */
};

static inline struct proc_inode *proc_inode(const struct inode *i)
{
    return i->private;
}

/* procfs.c: an inode for an entry, NULL: no memory; its destroy operation; its type; a stable inode
 * number for the index-th entry (from 1) of a directory about who. */
struct inode *proc_make_inode(struct superblock *sb, const struct proc_entry *e,
                              const struct target *who, uint32_t ino);
void proc_destroy(struct inode *i);
int proc_changeable(const struct inode *i, bool owner); /* as inode_ops asks */
uint32_t proc_entry_type(const struct proc_entry *e);
uint32_t proc_entry_ino(const struct target *who, uint32_t index);
extern const struct inode_ops proc_dir_ops; /* dir.c */

/* ---- hide.c: the options of a mount ---- */

enum proc_hiding { /* hidepid= */
                   PROC_SHOWN,
                   PROC_NO_ACCESS, /* what is in the directories of others' processes */
                   PROC_INVISIBLE, /* and the directories */
                   PROC_ONLY_TRACEABLE = 4,
};
extern const char *const proc_options[];
int proc_check_option(const char *option); /* -EINVAL */
int proc_take_options(struct superblock *sb, const char *data);
void proc_show_options(struct superblock *sb, char *buf, size_t size);
bool proc_only_processes(const struct superblock *sb);
/* [proc_lock held] Whether the current process is not to see of p what is hidden from that on. */
bool proc_hides(const struct superblock *sb, const struct proc *p, enum proc_hiding least);
/* Whether it may look into the directory of a process: -ENOENT, -EPERM, -ESRCH. */
int proc_may_enter(const struct superblock *sb, const struct target *who);

/* Whether it is still there. */
bool target_exists(const struct target *who);
/* The target's process with proc_lock held, or NULL with it released. */
struct proc *target_lock(const struct target *who);
/* [proc_lock held] The thread meant: the one named, or the first. NULL when it is gone. */
struct thread *target_thread(const struct target *who, struct proc *p);
/* Its number, which it has for a name. */
int32_t target_id(const struct target *who);
/* References that outlive the lock; NULL with *err: -ESRCH, -EACCES (check: only for the owner and
 * root) or 0 when the process has none. */
struct vm_space *target_space(const struct target *who, bool check, int *err);
struct files *target_files(const struct target *who, bool check, int *err);
/* 0, or -EACCES when the current process may not look into it, or -ESRCH. */
int target_inspect(const struct target *who);
/* The inode of an open file of /proc is about: */
const struct target *inode_target(const struct inode *i);

/* The process that an open directory /proc/PID is about: a reference, or NULL: -EBADF (it is none),
 * -ESRCH, -ENOMEM. */
struct proc_handle *procfs_handle(const struct file *f, int *err);

/* For what lies above, at boot: puts an entry into a table of n, of which the last stays empty;
 * into /proc/sys/kernel, into /proc/tty. */
void proc_table_add(struct proc_entry *table, unsigned n, const struct proc_entry *e);
void sysctl_add(const struct proc_entry *e);
void proc_tty_add(const struct proc_entry *e);
/* A number of decimal digits, at most max; what else is in the text is white space. -EINVAL */
int sysctl_number(const char *text, size_t len, uint32_t max, uint32_t *out);
/* The same for a number that must not be below least, either. */
int sysctl_word(const char *text, size_t len, uint32_t least, uint32_t most, uint32_t *out);

/* What shows and sets a word that root may change; scope: static or extern. */
#define SYSCTL_WORD(scope, name, variable, least, most)                                            \
    scope int show_##name(struct text *t, const struct target *who)                                \
    {                                                                                              \
        (void)who;                                                                                 \
        text_printf(t, "%u\n", (unsigned)(variable));                                              \
        return 0;                                                                                  \
    }                                                                                              \
    scope int store_##name(const char *text, size_t len, const struct target *who)                 \
    {                                                                                              \
        (void)who;                                                                                 \
        return sysctl_word(text, len, least, most, &(variable));                                   \
    }

/* What shows a text that never changes. */
#define SYSCTL_FACT(name, value)                                                                   \
    static int show_##name(struct text *t, const struct target *who)                               \
    {                                                                                              \
        (void)who;                                                                                 \
        text_printf(t, "%s\n", value);                                                             \
        return 0;                                                                                  \
    }
int show_shmmax(struct text *t, const struct target *who); /* sysvipc.c */
int show_shmall(struct text *t, const struct target *who);
int show_shmmni(struct text *t, const struct target *who);
int store_shmmax(const char *text, size_t len, const struct target *who);
int store_shmall(const char *text, size_t len, const struct target *who);
int store_shmmni(const char *text, size_t len, const struct target *who);
int show_semlimits(struct text *t, const struct target *who);
int store_semlimits(const char *text, size_t len, const struct target *who);
int show_msgmax(struct text *t, const struct target *who);
int store_msgmax(const char *text, size_t len, const struct target *who);
int show_msgmnb(struct text *t, const struct target *who);
int store_msgmnb(const char *text, size_t len, const struct target *who);
int show_msg_next(struct text *t, const struct target *who);
int store_msg_next(const char *text, size_t len, const struct target *who);
int show_sem_next(struct text *t, const struct target *who);
int store_sem_next(const char *text, size_t len, const struct target *who);
int show_shm_next_id(struct text *t, const struct target *who);
int store_shm_next_id(const char *text, size_t len, const struct target *who);
int show_shm_forced(struct text *t, const struct target *who);
int store_shm_forced(const char *text, size_t len, const struct target *who);
int show_msgmni(struct text *t, const struct target *who);
int store_msgmni(const char *text, size_t len, const struct target *who);

int show_mounts(struct text *t, const struct target *who); /* mounts.c */
int show_mountstats(struct text *t, const struct target *who);
int show_mountinfo(struct text *t, const struct target *who);
int show_maps(struct text *t, const struct target *who); /* memory.c */
int show_statm(struct text *t, const struct target *who);
int show_cmdline(struct text *t, const struct target *who);
int show_environ(struct text *t, const struct target *who);
int show_auxv(struct text *t, const struct target *who);
void show_area(struct text *t, const struct vm_area_info *a); /* a line of maps */
int process_mem_open(struct inode *inode, struct file *f);    /* for who may look into the space */
extern const struct file_ops process_mem_ops;
int show_smaps(struct text *t, const struct target *who); /* smaps.c */
int show_smaps_rollup(struct text *t, const struct target *who);
int store_clear_refs(const char *text, size_t len, const struct target *who);
extern const struct file_ops pagemap_ops, pagetable_ops, pagedir_ops; /* frames.c */
extern const struct file_ops kpagecount_ops, kpageflags_ops;
extern const struct file_ops faults_ops, pageout_ops;      /* faults.c */
int show_vmstat(struct text *t, const struct target *who); /* vmstat.c */
int show_latency(struct text *t, const struct target *who);
int reset_latency(const char *text, size_t len, const struct target *who);
int show_slabinfo(struct text *t, const struct target *who);
int show_sched_latency(struct text *t, const struct target *who); /* latency.c */
int store_sched_latency(const char *text, size_t len, const struct target *who);
int show_buddyinfo(struct text *t, const struct target *who);
int show_freelist(struct text *t, const struct target *who); /* frames.c */
extern uint32_t symbols_restricted; /* kptr_restrict: 0, 1: without CAP_SYSLOG zeros, 2: always */
extern const struct file_ops kcore_ops; /* kcore.c */
uint32_t kcore_size(void);
extern const struct file_ops kallsyms_ops, locks_ops; /* machine.c */
int show_fb(struct text *t, const struct target *who);
int show_iomem(struct text *t, const struct target *who);
int show_ioports(struct text *t, const struct target *who);
int show_softirqs(struct text *t, const struct target *who);
int show_consoles(struct text *t, const struct target *who);
int show_zoneinfo(struct text *t, const struct target *who);
int show_pagetypeinfo(struct text *t, const struct target *who);
int show_misc(struct text *t, const struct target *who);
int store_sysrq(const char *text, size_t len, const struct target *who);
int show_execdomains(struct text *t, const struct target *who);
extern const struct proc_entry attr_entries[], ns_entries[]; /* task/identity.c */
int show_loginuid(struct text *t, const struct target *who);
int store_loginuid(const char *text, size_t len, const struct target *who);
int show_sessionid(struct text *t, const struct target *who);
int show_id_map(struct text *t, const struct target *who);
int store_id_map(const char *text, size_t len, const struct target *who);
int show_setgroups(struct text *t, const struct target *who);
int store_setgroups(const char *text, size_t len, const struct target *who);
int show_personality(struct text *t, const struct target *who);
int show_sched(struct text *t, const struct target *who); /* task/scheduling.c */
int show_schedstat(struct text *t, const struct target *who);
int show_children(struct text *t, const struct target *who);
int show_timers(struct text *t, const struct target *who);
int show_timer_slack(struct text *t, const struct target *who);
int store_timer_slack(const char *text, size_t len, const struct target *who);
/* task/map_files.c: the area that a name stands for, as the fd of its target; 0 or -errno. */
int map_files_find(const struct target *who, const char *name, struct target *out, uint32_t *mode);
/* The next name at or after *at, which moves on: its length, 0: none, or -errno. */
int map_files_next(const struct target *who, uint64_t *at, char *name, size_t size);
extern const struct proc_entry map_file_entry;
int show_oom_score(struct text *t, const struct target *who); /* task/oom.c */
int show_oom_adj(struct text *t, const struct target *who);
int store_oom_adj(const char *text, size_t len, const struct target *who);
int show_oom_score_adj(struct text *t, const struct target *who);
int store_oom_score_adj(const char *text, size_t len, const struct target *who);

/* lines.c: writes the line of the first item with a number >= *item, which is set to it; its
 * length, at most LINE_ROOM, 0 when there is none. */
#define LINE_ROOM 192
typedef int (*line_fn)(void *from, uint64_t *item, char *buf, size_t size);
/* As file_ops.read, of lines alone. May sleep. */
long lines_read(void *from, line_fn line, void __user *ubuf, size_t len, uint64_t *pos);

int show_syscall(struct text *t, const struct target *who); /* waiting.c */
int show_stack(struct text *t, const struct target *who);
int show_wchan(struct text *t, const struct target *who);
int show_stat(struct text *t, const struct target *who); /* status.c */
int show_status(struct text *t, const struct target *who);
/* The program's code: its first executable area. May sleep. */
void code_range(struct vm_space *space, vaddr_t *start, vaddr_t *end);
int place_fd(const struct target *who, struct path *out); /* fd.c */
int place_cwd(const struct target *who, struct path *out);
int place_root(const struct target *who, struct path *out);
int target_root(const struct target *who, struct path *out); /* whoever asks */
int place_exe(const struct target *who, struct path *out);
int show_fdinfo(struct text *t, const struct target *who);

#endif
