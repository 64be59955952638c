/* The tutorial's program: a stack, a child in a mount namespace of its own, chroot, exec, wait. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES (1024 * 1024)

static int child(void *arguments) {
    char **words = arguments;
    if (chroot("rootfs") || chdir("/")) {
        perror("rootfs");
        return 1;
    }
    execv(words[0], words);
    perror(words[0]);
    return 1;
}

int main(int count, char **words) {
    int status;
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (count < 2 || stack == MAP_FAILED) return 1;
    pid_t program = clone(child, stack + STACK_BYTES, CLONE_NEWNS | SIGCHLD, words + 1);
    if (program < 0 || waitpid(program, &status, 0) < 0) {
        perror("clone");
        return 1;
    }
    return WEXITSTATUS(status);
}
