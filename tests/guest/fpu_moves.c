/* Registers of the FPU and of SSE go with a thread from processor to processor. */
#include "guest.h"
#include <pthread.h>
#include <sched.h>

#define THREADS 4
#define ROUNDS  200

static unsigned cpus;

static void move_to(unsigned cpu)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    DIE_UNLESS(sched_setaffinity(0, sizeof(one), &one) == 0);
}

/* By system calls between the loading and the storing, which the compiler does not see. */
static int moved(unsigned from, unsigned to, double x, const float v[4])
{
    unsigned long sets[2] = {1ul << from, 1ul << to};
    float got[4];
    double y;

    __asm__ volatile("fldl %[x]\n\t"
                     "movups (%[v]), %%xmm3\n\t"
                     "movl $241, %%eax\n\t"
                     "xorl %%ebx, %%ebx\n\t"
                     "movl $4, %%ecx\n\t"
                     "movl %[from], %%edx\n\t"
                     "int $0x80\n\t"
                     "movl $241, %%eax\n\t"
                     "addl $4, %%edx\n\t"
                     "int $0x80\n\t"
                     "movups %%xmm3, %[got]\n\t"
                     "fstpl %[y]"
                     : [got] "=m"(got), [y] "=m"(y)
                     : [x] "m"(x), [v] "S"(v), [from] "D"(sets)
                     : "eax", "ebx", "ecx", "edx", "memory");
    return y == x && memcmp(got, v, sizeof(got)) == 0;
}

static void *wander(void *arg)
{
    unsigned number = (unsigned)(unsigned long)arg;
    unsigned long wrong = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        float v[4] = {number + 0.5f, i + 0.25f, number * 3.0f, -(float)i};

        wrong += !moved((number + i) % cpus, (number * 3 + i / 2) % cpus, number + i * 1.0e-3, v);
    }
    return (void *)wrong;
}

int main(void)
{
    pthread_t threads[THREADS];
    cpu_set_t all;
    void *wrong;

    DIE_UNLESS(sched_getaffinity(0, sizeof(all), &all) == 0);
    cpus = (unsigned)CPU_COUNT(&all);
    for (unsigned long i = 0; i < THREADS; i++)
        DIE_UNLESS(pthread_create(&threads[i], NULL, wander, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &wrong);
        SHOW((int)(long)wrong);
    }
    move_to(0);
    SHOW(sched_getcpu());
    return 0;
}
