/* /dev/kmsg: whose lines they are, what is escaped, what is too long, what is gone. */
#include "guest.h"
#include <poll.h>
#include <sys/klog.h>

CHANGES_THE_MACHINE("lines in the log of the kernel");

static int fd;
static char buf[9000];

/* The next record without its sequence and time. */
static void show_next(void)
{
    long n = read(fd, buf, sizeof(buf) - 1);
    char *text;

    if (n < 0) {
        puts(error_name(errno));
        return;
    }
    buf[n] = '\0';
    text = strchr(buf, ';');
    printf("priority %d, flag %c%s", atoi(buf), text[-1], text);
}

static void say(const char *line)
{
    printf("%zd: ", write(fd, line, strlen(line)));
    show_next();
}

static void priorities(void)
{
    say("<12>of a user\n");
    say("<3>not the kernel's\n");
    say("without\n");
    say("<200>a high facility\n");
    say("<x>no number\n");
    say("<>nothing\n");
    say("<-1>negative\n");
    say("<7>tab\there \\ \x02\xe4\n");
}

static void ends(void)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char line[1000];
    int other;

    SHOW(read(fd, buf, sizeof(buf)));
    SHOW(poll(&p, 1, 0));
    memset(line, 'a', sizeof(line));
    SHOW(write(fd, line, 993));
    SHOW(write(fd, "", 0));
    SHOW(write(fd, "<6>short\n", 9));
    SHOW(poll(&p, 1, 0));
    SHOW(read(fd, buf, 5));
    SHOW(lseek(fd, 1, SEEK_SET));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(lseek(fd, 0, SEEK_END));
    show_next();
    other = open("/dev/kmsg", O_WRONLY);
    SHOW(read(other, buf, sizeof(buf)));
    close(other);
}

int main(void)
{
    fd = open("/dev/kmsg", O_RDWR | O_NONBLOCK);
    DIE_UNLESS(fd >= 0 && lseek(fd, 0, SEEK_END) == 0);
    priorities();
    ends();
    return 0;
}
