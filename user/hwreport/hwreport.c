/*
 * hwreport: what somebody needs who is told that Faultline does not run well on a machine: the
 * kernel and its options, processor, memory, interrupts, the screen, and the log with ACPI, APIC
 * and PCI. Everything goes to the standard output.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

static void title(const char *text)
{
    printf("---- %s\n", text);
}

static void show_file(const char *path)
{
    char buf[512];
    int fd = open(path, O_RDONLY);
    ssize_t n;

    title(path);
    if (fd < 0) {
        printf("%s\n", strerror(errno));
        return;
    }
    fflush(stdout);
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        write(STDOUT_FILENO, buf, (size_t)n);
    close(fd);
}

static void show_kernel(void)
{
    struct utsname u;

    title("kernel");
    if (uname(&u) == 0)
        printf("%s %s %s %s\n", u.sysname, u.release, u.version, u.machine);
}

static void show_screen(void)
{
    struct winsize ws;
    int fd = open("/dev/tty1", O_RDONLY | O_NOCTTY | O_NONBLOCK);

    title("screen");
    if (fd < 0 || ioctl(fd, TIOCGWINSZ, &ws) < 0)
        printf("none: %s\n", strerror(errno));
    else
        printf("%u columns, %u rows: %s\n", ws.ws_col, ws.ws_row,
               ws.ws_col == 80 && ws.ws_row == 25 ? "VGA text, most likely" : "a framebuffer");
    if (fd >= 0)
        close(fd);
}

static void show_log(void)
{
    enum { READ_ALL = 3, SIZE_BUFFER = 10 };
    int size = klogctl(SIZE_BUFFER, NULL, 0);
    char *log = malloc(size > 0 ? (size_t)size : 1);
    int n = log && size > 0 ? klogctl(READ_ALL, log, size) : -1;

    title("log");
    fflush(stdout);
    if (n > 0)
        write(STDOUT_FILENO, log, (size_t)n);
    free(log);
}

int main(void)
{
    static const char *const files[] = {"/proc/cmdline", "/proc/cpuinfo", "/proc/meminfo",
                                        "/proc/interrupts", "/proc/uptime"};

    show_kernel();
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        show_file(files[i]);
    show_screen();
    show_log();
    title("end of the report");
    return 0;
}
