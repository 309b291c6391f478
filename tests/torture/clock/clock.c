/* Loaded into a process with LD_PRELOAD. Its wall clock is then ahead by as many seconds as stand in the file that
   TORTURE_CLOCK names (8 bytes, signed, of this machine's order), and follows the file while the process runs. Clocks
   that nobody sets, such as CLOCK_MONOTONIC, are left alone.

   It changes what a process reads, not the kernel: a wait until a time of the wall clock is not cut short by a jump. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead_s;
static int (*machines)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    *(void **)&machines = dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("TORTURE_CLOCK");
    if (!path)
        return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *ahead_s, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        perror(path);
        _exit(1);
    }
    close(file);
    ahead_s = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    /* An allocator may ask before anything has begun. */
    int failed = machines ? machines(clock, now) : (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && ahead_s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *ahead_s;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise))
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME_COARSE, &now))
        return -1;
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
