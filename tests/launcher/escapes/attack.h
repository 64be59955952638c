/* What the attacks share. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Prints what the kernel answered, and by errno why; whether it worked. */
int answer(const char *what, long result);

/* The attacks by way of files; whether there is one of this name. */
int attack_files(const char *name, int count, char **words);
