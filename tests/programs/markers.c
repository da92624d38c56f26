/* Markers of every kind that lcov, gcovr and grcov agree on. */
#include <stdio.h>

static int positive(int x) {
    return x > 0 && x < 9; /* LCOV_EXCL_BR_LINE */
}

/* LCOV_EXCL_START */
static int whole(int x) {
    if (x > 2)
        return 1;
    return 2;
}
/* LCOV_EXCL_STOP */

static int half(int x) { /* LCOV_EXCL_LINE */
    if (x > 2)
        return 1;
    return 2; /* LCOV_EXCL_LINE */
}

static int inner(int x) {
    int sum = 0;
    for (int i = 0; i < x; i++) { /* LCOV_EXCL_START */
        if (i % 2)
            sum += i;
        else
            sum -= i;
    } /* LCOV_EXCL_STOP */
    while (sum > 3) { /* LCOV_EXCL_BR_START */
        sum -= 3;
        if (sum == 4)
            puts("four");
    }
    /* LCOV_EXCL_BR_STOP */
    if (sum == 1 || x == 7)
        puts("one");
    return sum; /* LCOV_EXCL_LINE */
}

int main(int argc, char **argv) {
    (void)argv;
    int all = positive(argc) + whole(argc) + half(argc) + inner(6);
    if (all > 100) {
        puts("never"); /* LCOV_EXCL_LINE */
    }
    return 0;
}
