/* Lets calls on files below a folder fail, as a disk does: once, or for as long as somebody says.

   cc -shared -fPIC -O2 -o failing_disk.so failing_disk.c -ldl
   FAILING_UNDER=/folder FAILING_ORDERS=/file LD_PRELOAD=./failing_disk.so program

   The file of orders is three numbers of 32 bits, read at every call: a mask of calls, an errno,
   and how many may fail still, which counts down; a fourth counts those that did, and of a fifth,
   which counts down first, are those that may not. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITES = 1, SYNCS = 2, RENAMES = 4, READS = 8, OPENS = 16, REMOVES = 32, LISTS = 64, ASKS = 128 };

struct orders { uint32_t mask, error; int32_t left; uint32_t failed; int32_t spared; };
static volatile struct orders *orders;
static const char *under;

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("FAILING_ORDERS");
    under = getenv("FAILING_UNDER");
    int fd = file && under ? open(file, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *found = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (found != MAP_FAILED) orders = found;
    close(fd);
}

static int fails(void) {
    if (orders->spared > 0) { __sync_fetch_and_sub(&orders->spared, 1); return 0; }
    if (__sync_fetch_and_sub(&orders->left, 1) <= 0) { orders->left = 0; return 0; }
    __sync_fetch_and_add(&orders->failed, 1);
    errno = (int)orders->error;
    return 1;
}

static int at_path(const char *path, int call) {
    if (!orders || !(orders->mask & call) || !path) return 0;
    return strncmp(path, under, strlen(under)) == 0 && fails();
}

static int at_file(int fd, int call) {
    if (!orders || !(orders->mask & call)) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return at_path(path, call);
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define ON_FILE(result, name, call, parameters, arguments) \
    result name parameters { \
        REAL(name); \
        return at_file(fd, call) ? -1 : real arguments; \
    }

ON_FILE(ssize_t, write, WRITES, (int fd, const void *data, size_t size), (fd, data, size))
ON_FILE(ssize_t, pwrite, WRITES, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
ON_FILE(ssize_t, pwrite64, WRITES, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
ON_FILE(ssize_t, writev, WRITES, (int fd, const struct iovec *parts, int n), (fd, parts, n))
ON_FILE(int, ftruncate, WRITES, (int fd, off_t size), (fd, size))
ON_FILE(int, ftruncate64, WRITES, (int fd, off64_t size), (fd, size))
ON_FILE(int, fsync, SYNCS, (int fd), (fd))
ON_FILE(int, fdatasync, SYNCS, (int fd), (fd))
ON_FILE(ssize_t, read, READS, (int fd, void *data, size_t size), (fd, data, size))
ON_FILE(ssize_t, pread, READS, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
ON_FILE(ssize_t, pread64, READS, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at))

int rename(const char *old, const char *new) {
    REAL(rename);
    return at_path(old, RENAMES) ? -1 : real(old, new);
}

int unlink(const char *path) {
    REAL(unlink);
    return at_path(path, REMOVES) ? -1 : real(path);
}

DIR *opendir(const char *path) {
    REAL(opendir);
    return at_path(path, LISTS) ? NULL : real(path);
}

#define ON_PATH(name, call, parameters, arguments) \
    int name parameters { \
        REAL(name); \
        return at_path(path, call) ? -1 : real arguments; \
    }

ON_PATH(mkdir, WRITES, (const char *path, mode_t mode), (path, mode))
ON_PATH(statvfs, ASKS, (const char *path, struct statvfs *room), (path, room))
ON_PATH(statvfs64, ASKS, (const char *path, struct statvfs64 *room), (path, room))

#define OPENING(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return at_path(path, OPENS) ? -1 : real(path, flags, mode); \
    }

OPENING(open)
OPENING(open64)
