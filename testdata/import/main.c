/* A small program for gcc's coverage: a switch, conditions, a header, a function that is never called. */
#include <stdio.h>
#include <stdlib.h>

#include "shapes.h"

static const char *name(int sides) {
    switch (sides) {
    case 3:
        return "triangle";
    case 4:
        return "square";
    case 5:
    case 6:
        return "rich";
    default:
        return "shape";
    }
}

int never_called(int value) {
    if (value)
        return 1;
    return 2;
}

int main(int argc, char **argv) {
    int i;
    for (i = 1; i < argc; i++) {
        int sides = atoi(argv[i]);
        printf("%s %d\n", name(sides), sides > 3 && i < 3 ? area(sides, i) : area(-1, i));
    }
    return argc > 3;
}
