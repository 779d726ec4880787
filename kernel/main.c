/*
 * From the boot code to the first program. kernel_main sets up what needs no thread, then becomes
 * the idle thread; process 1 mounts the root, opens the console and execs init.
 */
#include "arch/processors.h"
#include "arch/thread.h"
#include "arch/upcalls.h"
#include "fs/vfs/file.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/boot.h"
#include "kernel/base/init.h"
#include "kernel/debug/crash.h"
#include "kernel/debug/gdbstub.h"
#include "kernel/process/initargs.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/thread/inject.h"
#include "kernel/thread/mmport.h"
#include "kernel/thread/proc.h"
#include "kernel/machine/random.h"
#include "kernel/debug/selftest.h"
#include "kernel/ipc/ipc.h"
#include "kernel/ipc/shm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/time/time.h"
#include "kernel/thread/trace.h"
#include "kernel/thread/watchdog.h"
#include "kernel/base/version.h"
#include "libc/errno.h"
#include "libc/string.h"

static void banner(void)
{
    struct mem_stats m;
    char value[16];

    mm_stats(&m);
    klog(LOG_NOTICE, "Faultline " UTS_RELEASE " " UTS_VERSION ": an i386 kernel\n");
    klog(LOG_INFO, "Command line: %s\n", boot_info.cmdline);
    klog(LOG_INFO, "Entered at cycle %llu of the processor's counter\n", boot_info.entry_cycles);
    klog(LOG_INFO, "Memory: %uK/%uK available\n", m.free * (PAGE_SIZE / 1024),
         boot_info.ram_total_kib);
    if (boot_info.ram_unused_kib)
        klog(LOG_WARN, "Memory: %uK %s is not used\n", boot_info.ram_unused_kib,
             boot_option("mem", value, sizeof(value)) ? "beyond mem="
                                                      : "above the kernel's window");
}

static _Noreturn void give_up(void)
{
    klog(LOG_EMERG, "The kernel cannot go on: the machine is halted (or ends as panic= says).\n");
    panic_end();
}

/* ---- The root ---- */

/* root=/dev/sda1, read-only unless "rw", as Linux does without a ramdisk. */
static bool mount_disk_root(void)
{
    char source[64];
    uint32_t flags = boot_flag("rw") ? 0 : MS_RDONLY;
    int err;

    if (boot_info.initrds || !boot_option("root", source, sizeof(source)))
        return false;
    err = vfs_mount_root_disk(source, flags);
    if (err) {
        klog(LOG_EMERG, "Cannot mount the root file system from %s (error %d).\n", source, err);
        give_up();
    }
    klog(LOG_INFO, "VFS: Mounted root (%s filesystem)%s.\n", vfs_root_type(),
         flags ? " readonly" : "");
    return true;
}

/* Where the root has a /dev, the devices are in it: nobody else can make them before init runs. */
static void mount_dev(void)
{
    struct path dev;

    if (path_lookup(AT_FDCWD, "/dev", LOOKUP_DIRECTORY, &dev))
        return;
    if (vfs_mount("devtmpfs", "devtmpfs", &dev, MS_RELATIME, NULL) == 0)
        klog(LOG_INFO, "devtmpfs: mounted\n");
    path_unref(&dev);
}

static void mount_root(void)
{
    int err;

    if (!boot_info.initrds) {
        klog(LOG_EMERG,
             "No ramdisk: give the kernel a cpio archive as its first module (-initrd).\n");
        give_up();
    }
    err = vfs_mount_root(boot_info.initrd, boot_info.initrds);
    if (err) {
        klog(LOG_EMERG, "The ramdisk cannot be used (error %d).\n", err);
        give_up();
    }
}

/* Descriptors 0, 1 and 2. */
static void open_console(void)
{
    struct file *f;
    int err = file_open(AT_FDCWD, "/dev/console", O_RDWR, 0, &f);

    if (err) {
        klog(LOG_WARN, "Unable to open an initial console (error %d).\n", err);
        return;
    }
    for (int fd = 0; fd < 3; fd++) {
        file_ref(f);
        (void)fd_install(f, 0, false);
    }
    file_put(f);
}

/* ---- Process 1 ---- */

static struct init_args args;

/* Comes back only when path cannot be run. */
static int run_init(char *path)
{
    int err;

    args.argv[0] = path;
    klog(LOG_INFO, "Run %s as init process\n", path);
    err = proc_exec(path, args.argv, args.envp);
    if (err)
        return err;
    arch_enter_user(thread_current()->arch.tf);
}

/* As Linux: an archive's /init or rdinit= goes before init=, which is for a root that was mounted.
 */
static void run_archive_init(void)
{
    static char by_default[] = "/init";
    int err = run_init(args.archive_program ? args.archive_program : by_default);

    if (args.archive_program)
        panic("Requested init %s failed (error %d).", args.archive_program, err);
    if (err != -ENOENT)
        klog(LOG_ERR, "Failed to execute %s (error %d)\n", by_default, err);
}

static _Noreturn void run_any_init(bool from_disk)
{
    static char *const places[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};

    if (!from_disk)
        run_archive_init();
    if (args.program) {
        int err = run_init(args.program);

        panic("Requested init %s failed (error %d).", args.program, err);
    }
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int err = run_init(places[i]);

        if (err != -ENOENT)
            klog(LOG_ERR, "Starting init: %s exists but couldn't execute it (error %d)\n",
                 places[i], err);
    }
    panic("No working init found. Try passing init= option to kernel.");
}

static void init_main(void *arg)
{
    static struct trapframe first_frame; /* exec writes it; the stack gets a copy */
    struct proc *p = proc_current();
    struct path root;
    bool from_disk;

    (void)arg;
    init_proc = p;
    sched_start_processors();
    if (cpus_online > 1)
        frames_at_hand();
    if (boot_flag("selftest"))
        selftest();
    vfs_init();
    init_run(INIT_DISK);
    from_disk = mount_disk_root();
    if (!from_disk)
        mount_root();
    p->files = files_new();
    root = vfs_root();
    p->fs = fs_context_new(&root);
    path_unref(&root);
    if (!p->files || !p->fs)
        panic("no memory for the first process");
    if (from_disk)
        mount_dev();
    init_run(INIT_DEVICE);
    open_console();
    crash_boot_option();
    proc_settle_thread_limit(p);
    inject_boot_options();
    init_args_parse(&args);
    thread_current()->arch.tf = &first_frame;
    run_any_init(from_disk);
}

/* ---- The boot thread ---- */

/* No thread has a canary yet: from here on this one has. */
static inline __attribute__((always_inline)) void set_first_guard(void)
{
    thread_current()->arch.stack_guard = cpu_self()->stack_guard = random_guard();
}

NO_STACK_GUARD void kernel_main(void)
{
    crash_init();
    if (mm_init(boot_info.memory, boot_info.nmemory, &kernel_mm_port))
        boot_fail("Too little memory: nothing is left beside the kernel and its modules.\n");
    proc_init();
    sched_init();
    mmport_init();
    shm_init();
    sysv_init();
    clock_init();
    time_init();
    log_set_clock(clock_mono_ns);
    watchdog_init();
    random_init();
    set_first_guard();
    syscall_init();
    banner();
    trace_init();
    gdbstub_init();
    irq_enable();
    if (!kthread_create("init", init_main, NULL))
        panic("no memory for the first process");
    sched_idle();
}
