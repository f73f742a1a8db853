/* Makes the folder SHARE behave as a share that knows less than a disk.

   The environment says what it answers, by number: SHARE_FSYNC to the sync of a folder, SHARE_CHMOD
   to a change of rights, SHARE_FLOCK to a lock, SHARE_RENAME to a rename over a file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int answer(const char *name) {
    const char *number = getenv(name);
    return number ? atoi(number) : 0;
}

static int is_below(const char *path) {
    const char *share = getenv("SHARE");
    return share && strncmp(path, share, strlen(share)) == 0;
}

static int is_open_below(int descriptor) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

static int refuse(int number) {
    errno = number;
    return -1;
}

int fsync(int descriptor) {
    struct stat status;
    int number = answer("SHARE_FSYNC");
    if (number && !fstat(descriptor, &status) && S_ISDIR(status.st_mode) &&
        is_open_below(descriptor))
        return refuse(number);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
}

int flock(int descriptor, int operation) {
    int number = answer("SHARE_FLOCK");
    if (number && is_open_below(descriptor)) return refuse(number);
    return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(descriptor, operation);
}

int chmod(const char *path, mode_t mode) {
    int number = answer("SHARE_CHMOD");
    if (number && is_below(path)) return refuse(number);
    return ((int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "chmod"))(path, mode);
}

int rename(const char *source, const char *target) {
    int number = answer("SHARE_RENAME");
    if (number && is_below(target) && access(target, F_OK) == 0) return refuse(number);
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(source, target);
}
