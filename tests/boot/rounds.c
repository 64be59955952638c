/* Times commands side by side, on a machine that has little more than a shell: each line of a file is a
 * candidate, and all take turns. It prints each one's name, and its median, 10th and 90th percentile in
 * microseconds.
 *
 *     rounds FILE ROUNDS
 *
 * A line is a name, and commands with spaces between their words, each ended by a word `;`. One behind
 * the word `until` is repeated until it succeeds, and not timed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CANDIDATES 16
#define WORDS 128
#define WARM_UP_ROUNDS 2

struct candidate {
    char *words[WORDS];
    double *times;
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static int succeeds(char **words, int is_quiet) {
    int status;
    pid_t program = vfork();
    if (program == 0) {
        dup2(open("/dev/null", O_RDWR), 0);
        dup2(0, 1);
        if (is_quiet) dup2(0, 2);
        execv(words[0], words);
        _exit(127);
    }
    return waitpid(program, &status, 0) == program && status == 0;
}

/* Microseconds. */
static double once(const struct candidate *candidate) {
    double took = 0, start;
    char *command[WORDS], *const *word = candidate->words + 1;
    while (*word) {
        int count = 0, is_repeated = !strcmp(*word, "until");
        for (word += is_repeated; *word && strcmp(*word, ";"); word++) command[count++] = *word;
        command[count] = 0;
        if (*word) word++;
        start = now();
        while (!succeeds(command, is_repeated)) {
            if (!is_repeated || now() - start > 60e6) {
                printf("%s: %s %s fails\n", candidate->words[0], command[0], command[count - 1]);
                exit(1);
            }
            usleep(2000);
        }
        if (!is_repeated) took += now() - start;
    }
    return took;
}

static int by_size(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

int main(int count, char **arguments) {
    static struct candidate candidates[CANDIDATES];
    static char line[4096];
    int order[CANDIDATES], known = 0, rounds = count == 3 ? atoi(arguments[2]) : 0;
    FILE *file = rounds > 0 ? fopen(arguments[1], "r") : 0;
    if (!file) return 2;
    while (known < CANDIDATES && fgets(line, sizeof line, file)) {
        char **word = candidates[known].words;
        for (*word = strtok(strdup(line), " \n"); *word; *++word = strtok(0, " \n")) {}
        candidates[known].times = calloc(rounds, sizeof(double));
        order[known] = known;
        known++;
    }
    for (int round = -WARM_UP_ROUNDS; round < rounds; round++) {
        for (int last = known - 1; last >= 0; last--) {
            int place = rand() % (last + 1), chosen = order[place];
            order[place] = order[last];
            order[last] = chosen;
            double took = once(&candidates[chosen]);
            if (round >= 0) candidates[chosen].times[round] = took;
        }
    }
    for (int place = 0; place < known; place++) {
        double *times = candidates[place].times;
        qsort(times, rounds, sizeof *times, by_size);
        printf("%s %.0f %.0f %.0f\n", candidates[place].words[0], times[rounds / 2], times[rounds / 10],
               times[rounds * 9 / 10]);
    }
    return 0;
}
