/* The program that libseccomp makes of the rules on standard input, on standard output.
 *
 *     cc -O2 -o libseccomp libseccomp.c -lseccomp
 *     libseccomp LEVEL <rules >program
 *
 * LEVEL is what SCMP_FLTATR_CTL_OPTIMIZE is set to. A rule is a line of: the call's name, the errno
 * to answer or 0 to allow it, and perhaps a condition: the argument's index, the number of the
 * operator, and its two values. All other calls are not permitted.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **words)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (count != 2 || !filter)
        return 2;
    if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, atoi(words[1])) ||
        seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)))
        return 3;
    char line[200];
    while (fgets(line, sizeof line, stdin)) {
        char name[100];
        unsigned int error, index, operator;
        unsigned long long first, second;
        int fields = sscanf(line, "%99s %u %u %u %llu %llu", name, &error, &index, &operator,
                            &first, &second);
        int number = seccomp_syscall_resolve_name(name);
        uint32_t action = error ? SCMP_ACT_ERRNO(error) : SCMP_ACT_ALLOW;
        struct scmp_arg_cmp condition = { index, operator, first, second };
        /* Newer than the library, or of another architecture. */
        if (fields < 2 || number < 0)
            continue;
        int answer = fields == 6 ? seccomp_rule_add_array(filter, action, number, 1, &condition)
                                 : seccomp_rule_add(filter, action, number, 0);
        if (answer) {
            fprintf(stderr, "%s: error %d\n", name, -answer);
            return 4;
        }
    }
    return seccomp_export_bpf(filter, STDOUT_FILENO) ? 5 : 0;
}
