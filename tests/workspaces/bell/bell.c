#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void ring(int times) {
    for (int i = 0; i < times; i++) {
        puts("ding");
    }
}

static void wait_for_the_end(void) {
    puts("waiting");
    fflush(stdout);
    for (;;) {
        pause();
    }
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fputs("usage: bell TIMES\n", stderr);
        return 2;
    }
    int times = atoi(argv[1]);
    if (times == 0) {
        wait_for_the_end();
    }
    ring(times);
    return 0;
}
