/* Runs a program, and writes into a file how many KiB it, or a child that it waited for, had in memory
 * at the most. What a process had before it became the program counts as well (wait4(2), ru_maxrss), so
 * this has no libc, and next to nothing in memory.
 *
 *     cc -O2 -static -nostdlib -ffreestanding -fno-stack-protector -o peak peak.c
 *     peak FILE PROGRAM [ARG...]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include "../launch/raw.h"

void begin(long *stack) {
    char **arguments = (char **)(stack + 1), **environment = arguments + stack[0] + 1;
    struct rusage usage;
    char digits[24], *first = digits + sizeof digits;
    int status = 0;
    long file, program = CALL(clone, SIGCHLD), peak;
    if (program == 0) {
        CALL(execve, arguments[2], arguments + 2, environment);
        CALL(exit_group, 127);
    }
    CALL(wait4, program, &status, 0, &usage);
    for (peak = usage.ru_maxrss; peak; peak /= 10) *--first = '0' + peak % 10;
    file = CALL(openat, AT_FDCWD, arguments[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CALL(write, file, first, digits + sizeof digits - first);
    CALL(exit_group, status & 127 ? 128 + (status & 127) : status >> 8 & 255);
}
