/* Fork until it fails, twice; then everything is given back and life goes on. */
#include "guest.h"

static int bomb(void)
{
    int n = 0, gate[2];
    char c;

    DIE_UNLESS(pipe(gate) == 0);
    for (;; n++) {
        pid_t pid = fork();

        if (pid == 0) {
            close(gate[1]);
            _exit(read(gate[0], &c, 1) != 0);
        }
        if (pid < 0)
            break;
    }
    printf("fork failed at last: %s\n", errno == EAGAIN || errno == ENOMEM ? "yes" : "oddly");
    close(gate[1]);
    close(gate[0]);
    for (int i = 0; i < n; i++)
        if (wait(NULL) < 0)
            printf("a child is missing\n");
    return n;
}

/* Every child forks as well, until nobody can; all die by themselves. */
static void explode(void *arg)
{
    (void)arg;
    alarm(3);
    signal(SIGCHLD, SIG_IGN);
    for (;;)
        if (fork() < 0)
            usleep(1000);
}

int main(void)
{
    int first, second;

    first = bomb();
    second = bomb();
    printf("more than 20: %d; the same again: %d\n", first > 20,
           second >= first - first / 8 && second <= first + first / 8);
    in_child("bomb of bombs", explode, NULL);
    for (int i = 0; i < 100; i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        if (pid > 0) {
            waitpid(pid, NULL, 0);
            break;
        }
        usleep(100000);
    }
    printf("fork works again\n");
    return 0;
}
