/* Rights to I/O ports, and to the time stamp counter: ioperm, iopl, prctl(PR_SET_TSC). */
#include "guest.h"
#include <pthread.h>
#include <sys/io.h>
#include <sys/prctl.h>

static void touch_port(unsigned port)
{
    if (sigsetjmp(fault_jump, 1)) {
        printf("port %x: %s\n", port,
               fault_info.si_code == SI_KERNEL ? "SIGSEGV KERNEL" : fault_code());
        return;
    }
    outb(0, port);
    printf("port %x: ok\n", port);
}

static void touch_wide(unsigned port)
{
    if (sigsetjmp(fault_jump, 1)) {
        printf("ports %x and %x: refused\n", port, port + 1);
        return;
    }
    inw(port);
    printf("ports %x and %x: ok\n", port, port + 1);
}

static void read_counter(const char *who)
{
    if (sigsetjmp(fault_jump, 1)) {
        printf("%s: %s\n", who, fault_info.si_code == SI_KERNEL ? "SIGSEGV KERNEL" : fault_code());
        return;
    }
    __builtin_ia32_rdtsc();
    printf("%s: reads the counter\n", who);
}

static void child_of_rights(void *unused)
{
    (void)unused;
    touch_port(0x80);
    SHOW(ioperm(0x80, 1, 0));
    SHOW(ioperm(0x84, 1, 1));
    touch_port(0x80);
    touch_port(0x84);
}

static void *thread_of_rights(void *unused)
{
    touch_port(0x80);
    SHOW(ioperm(0x80, 1, 0));
    return unused;
}

static void without_rights(void *unused)
{
    (void)unused;
    DIE_UNLESS(setuid(65534) == 0);
    touch_port(0x80);
    SHOW(ioperm(0x80, 1, 1));
    SHOW(ioperm(0x10000, 1, 1));
    SHOW(iopl(4));
    SHOW(iopl(3));
    SHOW(iopl(0));
    SHOW(ioperm(0x80, 1, 0));
    touch_port(0x80);
}

static void lowers(void *unused)
{
    (void)unused;
    SHOW(iopl(3));
    DIE_UNLESS(setuid(65534) == 0);
    touch_port(0x300);
    SHOW(iopl(1));
    touch_port(0x300);
    SHOW(iopl(2));
}

static void counter_child(void *unused)
{
    (void)unused;
    read_counter("child");
    SHOW(prctl(PR_SET_TSC, PR_TSC_ENABLE));
    read_counter("child, allowed");
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int how = 0;

    catch_faults();
    if (argc > 1) {
        touch_port(0x80);
        read_counter("after exec");
        return 0;
    }
    touch_port(0x80);
    SHOW(ioperm(0x80, 1, 0));
    SHOW(ioperm(0x80, 0, 1));
    SHOW(ioperm(0x10000, 1, 1));
    SHOW(ioperm(0xffff, 2, 1));
    SHOW(ioperm(~0ul, 2, 1));
    SHOW(ioperm(0xffff, 1, 1));
    SHOW(ioperm(0x80, 1, 1));
    touch_port(0x80);
    touch_port(0x84);
    touch_wide(0x80);
    in_child("child", child_of_rights, NULL);
    touch_port(0x80);
    touch_port(0x84);
    DIE_UNLESS(pthread_create(&thread, NULL, thread_of_rights, NULL) == 0);
    pthread_join(thread, NULL);
    touch_port(0x80);
    in_child("user", without_rights, NULL);
    SHOW(iopl(4));
    SHOW(iopl(1));
    touch_port(0x300);
    SHOW(iopl(3));
    touch_port(0x300);
    touch_wide(0x80);
    SHOW(iopl(0));
    touch_port(0x300);
    touch_port(0x80);
    in_child("lowers", lowers, NULL);

    SHOW(prctl(PR_GET_TSC, &how));
    printf("%d\n", how);
    read_counter("at first");
    SHOW(prctl(PR_SET_TSC, 0));
    SHOW(prctl(PR_SET_TSC, 3));
    SHOW(prctl(PR_GET_TSC, NULL));
    SHOW(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
    SHOW(prctl(PR_GET_TSC, &how));
    printf("%d\n", how);
    read_counter("forbidden");
    in_child("counter", counter_child, NULL);
    read_counter("still");
    execl("/proc/self/exe", argv[0], "again", (char *)NULL);
    return 1;
}
